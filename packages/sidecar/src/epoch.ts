import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { AgentOsError } from "@agentos/protocol";

/** How long a starter waits for another one that is writing. */
const BUSY_MS = 5_000;

/** Starts a new life of the sidecar `owner`: one more than any epoch before, on disk before it is returned. */
export function nextEpoch(stateDirectory: string, owner: string): number {
  const path = join(stateDirectory, "epochs.sqlite");
  try {
    using database = new DatabaseSync(path, { timeout: BUSY_MS });
    database.exec(
      "CREATE TABLE IF NOT EXISTS epochs (owner TEXT PRIMARY KEY, epoch INTEGER NOT NULL) STRICT",
    );
    const row = database
      .prepare(
        "INSERT INTO epochs VALUES (?, 1) ON CONFLICT DO UPDATE SET epoch = epoch + 1 RETURNING epoch",
      )
      .get(owner);
    return Number(row?.["epoch"]);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new AgentOsError(
      "SIDECAR_START_FAILED",
      `the state directory ${stateDirectory} is not usable: ${why}`,
      { reason: why, stderr: [] },
      { cause: error },
    );
  }
}
