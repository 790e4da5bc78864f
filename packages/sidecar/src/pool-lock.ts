import { DatabaseSync } from "node:sqlite";

import { AgentOsError } from "@agentos/protocol";

/** SQLite's primary result code for a file that another process has locked. */
const SQLITE_BUSY = 5;

/** The exclusive lock of a pool, held for a sidecar's life. The kernel releases it when the process is killed. */
export class PoolLock implements Disposable {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Takes the lock at once, or returns undefined where another process has it. Throws `SIDECAR_START_FAILED`. */
  static acquire(path: string): PoolLock | undefined {
    let database: DatabaseSync | undefined;
    try {
      // Node has no flock; SQLite's file locks are the kernel's.
      database = new DatabaseSync(path, { timeout: 0 });
      // Not EXCLUSIVE: that takes several locks one after the other, and of two racers both may fail.
      database.exec("PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE");
      return new PoolLock(database);
    } catch (cause) {
      database?.close();
      if (isBusy(cause)) return undefined;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new AgentOsError(
        "SIDECAR_START_FAILED",
        `cannot lock ${path}: ${reason}`,
        { reason, stderr: [] },
        { cause },
      );
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

function isBusy(error: unknown): boolean {
  return (
    error instanceof Error && "errcode" in error && Number(error.errcode) % 256 === SQLITE_BUSY
  );
}
