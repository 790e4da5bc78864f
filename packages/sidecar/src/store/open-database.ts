import { chmodSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

import { AgentOsError } from "@agentos/protocol";

import { MIGRATIONS } from "./migrations.ts";
import { startFailure } from "./store-failure.ts";

const BUSY_MS = 1_000;
const PAGE_BYTES = 4_096;
/** 16 MiB of log: each checkpoint waits for the disk, and a few messages fill the 4 MiB that are usual. */
const CHECKPOINT_PAGES = 4_096;
const IN_MEMORY = ":memory:";

/**
 * Opens the file for this process alone and brings it to the present version. Throws `SIDECAR_START_FAILED` for a file
 * that is damaged, of a newer version, in use or not writable; then the file is as it was.
 *
 * `synchronous=NORMAL` with a write-ahead log: what was committed survives the death of the process, always; after a
 * loss of power the last commits may be missing, and with them the VMs.
 */
export function openDatabase(path: string | undefined, maxBytes: number): DatabaseSync {
  const where = path ?? IN_MEMORY;
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(where, { timeout: BUSY_MS });
    // The pool's lock is in the runtime directory: this one is for two of those with one state directory.
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    const version = versionOf(database);
    if (version > MIGRATIONS.length) throw newer(where, version);
    if (path !== undefined) chmodSync(path, 0o600);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    database.exec(`PRAGMA max_page_count = ${Math.floor(maxBytes / PAGE_BYTES)}`);
    migrate(database, version);
    return database;
  } catch (cause) {
    database?.close();
    throw startFailure(where, cause);
  }
}

/** Runs `work` in a transaction, or as a part of the one that runs: all of it, or nothing where it throws. */
export function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  const isPart = database.isTransaction;
  database.exec(isPart ? "SAVEPOINT part" : "BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec(isPart ? "RELEASE part" : "COMMIT");
    return result;
  } catch (error) {
    // A full disk rolls back by itself.
    if (database.isTransaction)
      database.exec(isPart ? "ROLLBACK TO part; RELEASE part" : "ROLLBACK");
    throw error;
  }
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
}

function migrate(database: DatabaseSync, from: number): void {
  inTransaction(database, () => {
    for (const step of MIGRATIONS.slice(from)) database.exec(step);
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
  });
}

function newer(path: string, version: number): AgentOsError {
  const reason = `it is of version ${version}, this sidecar knows up to ${MIGRATIONS.length}: a newer AgentOS wrote it`;
  return new AgentOsError(
    "SIDECAR_START_FAILED",
    `the state file ${path} is not usable: ${reason}`,
    {
      reason,
      stderr: [],
    },
  );
}
