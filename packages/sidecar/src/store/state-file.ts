import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";

import { inTransaction } from "./open-database.ts";
import { writeFailure } from "./store-failure.ts";

/** An open database: each statement is prepared once, and a failed write has one shape. */
export class StateFile {
  readonly database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.database = database;
  }

  all(sql: string, ...values: SQLInputValue[]): Record<string, unknown>[] {
    return this.#statement(sql).all(...values);
  }

  /** The rows one by one, as long as the caller wants more. */
  rows(sql: string, ...values: SQLInputValue[]): Iterable<Record<string, unknown>> {
    return this.#statement(sql).iterate(...values);
  }

  /** Rows changed. As part of a transaction, or where a failure is the caller's. */
  change(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  /** The same by itself. Throws `INTERNAL` where it can't be written; then nothing changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return this.write(() => this.change(sql, ...values));
  }

  /** All of it or nothing. Throws `INTERNAL`. */
  transact<T>(work: () => T): T {
    return this.write(() => inTransaction(this.database, work));
  }

  write<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw writeFailure(error);
    }
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
