import type { SQLInputValue } from "node:sqlite";

/** Columns of a row that are written, and their values. */
export interface Columns {
  readonly names: readonly string[];
  readonly values: readonly SQLInputValue[];
}

/** Those that have a value: undefined leaves a column as it is. */
export function columnsOf(all: readonly (readonly [string, SQLInputValue | undefined])[]): Columns {
  const names: string[] = [];
  const values: SQLInputValue[] = [];
  for (const [name, value] of all) {
    if (value === undefined) continue;
    names.push(name);
    values.push(value);
  }
  return { names, values };
}
