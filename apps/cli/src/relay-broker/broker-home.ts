import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { ContinuityFiles } from "./continuity-files.ts";
import { PendingMessages } from "./pending-messages.ts";
import { WorkerLogs } from "./worker-logs.ts";

/** SQLite's primary result code for a file that another process has locked. */
const SQLITE_BUSY = 5;

/** Where a persistent broker keeps its state: `.agent-relay` in its directory. One broker at a time has it. */
export class BrokerHome implements Disposable {
  readonly pending: PendingMessages;
  readonly continuity: ContinuityFiles;
  readonly logs: WorkerLogs;
  readonly #path: string;
  readonly #database: DatabaseSync;

  private constructor(path: string, database: DatabaseSync) {
    this.#path = path;
    this.#database = database;
    this.pending = new PendingMessages(database);
    this.continuity = new ContinuityFiles(join(path, "continuity"));
    this.logs = new WorkerLogs(join(path, "team", "worker-logs"));
    writeFileSync(pidFileIn(path), `${process.pid}\n`, { mode: 0o600 });
  }

  /** Throws an `Error` that says why, where another broker has it or it can't be made. */
  static take(directory: string): BrokerHome {
    const path = join(directory, ".agent-relay");
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
    const file = join(path, "broker.sqlite");
    const database = new DatabaseSync(file, { timeout: 0 });
    try {
      // The kernel lets go of the lock when the process is killed: it is never stale.
      database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL");
      chmodSync(file, 0o600);
      return new BrokerHome(path, database);
    } catch (cause) {
      database.close();
      if (!isBusy(cause)) throw cause;
      throw new Error(`another broker works in ${directory}: pid ${pidIn(path)}`, { cause });
    }
  }

  [Symbol.dispose](): void {
    rmSync(pidFileIn(this.#path), { force: true });
    this.#database.close();
  }
}

function pidFileIn(path: string): string {
  return join(path, "broker.pid");
}

function pidIn(path: string): string {
  try {
    return readFileSync(pidFileIn(path), "utf8").trim();
  } catch {
    // It has the lock, and has not said who it is yet.
    return "unknown";
  }
}

function isBusy(error: unknown): boolean {
  return (
    error instanceof Error && "errcode" in error && Number(error.errcode) % 256 === SQLITE_BUSY
  );
}
