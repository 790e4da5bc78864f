import type { RelayStores } from "@agentos/core";
import * as z from "zod";

import type { SealedText } from "./sealed-text.ts";
import { SqliteRelayStore } from "./sqlite-relay-store.ts";
import type { StateFile } from "./state-file.ts";

const User = z.object({ user: z.string() });

/** Every user's relay in the pool's state file. */
export class SqliteRelayStores implements RelayStores {
  readonly #file: StateFile;
  readonly #sealed: SealedText;

  constructor(file: StateFile, sealed: SealedText) {
    this.#file = file;
    this.#sealed = sealed;
  }

  of(user: string): SqliteRelayStore {
    return new SqliteRelayStore(this.#file, this.#sealed, user);
  }

  users(): string[] {
    const living = "SELECT user FROM relay_agents WHERE state NOT IN ('released', 'dead')";
    const open = "SELECT user FROM relay_deliveries WHERE agent_id IS NOT NULL AND state IN";
    const sql = `${living} UNION ${open} ('accepted', 'queued', 'handed_over', 'consumed')`;
    return this.#file.all(sql).map((row) => User.parse(row).user);
  }
}
