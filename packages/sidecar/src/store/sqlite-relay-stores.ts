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
    const sql =
      "SELECT DISTINCT user FROM relay_agents WHERE state NOT IN ('released', 'dead') ORDER BY user";
    return this.#file.all(sql).map((row) => User.parse(row).user);
  }
}
