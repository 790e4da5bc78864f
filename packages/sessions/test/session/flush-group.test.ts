import { expect, test } from "vitest";

import { type Flush, FlushGroup } from "../../src/session/flush-group.ts";

type Writes = Parameters<ConstructorParameters<typeof FlushGroup>[0]["writeAll"]>[0];

/** Remembers every transaction; those with a session that can't be written fail as a whole. */
class Store {
  readonly transactions: string[][] = [];
  readonly #broken: readonly string[];

  constructor(...broken: string[]) {
    this.#broken = broken;
  }

  writeAll(writes: Writes): void {
    const keys = writes.map(({ key }) => key);
    if (keys.some((key) => this.#broken.includes(key))) throw new Error("it can't be written");
    this.transactions.push(keys);
  }
}

function session(key: string, told: string[]): { takeFlush(): Flush } {
  return {
    takeFlush: () => ({
      key,
      write: {},
      stored: () => told.push(`${key} stored`),
      failed: (error) => told.push(`${key} ${error instanceof Error ? error.message : "failed"}`),
    }),
  };
}

test("[session.group-commit] what many sessions say in one tick is one transaction, and told after it", async () => {
  const store = new Store();
  const told: string[] = [];
  const group = new FlushGroup(store);
  const sessions = ["a", "b", "c", "written"].map((key) => session(key, told));
  for (const each of [...sessions, ...sessions]) group.add(each);
  if (sessions[3] !== undefined) group.delete(sessions[3]);
  expect(store.transactions).toEqual([]);
  await expect.poll(() => store.transactions).toEqual([["a", "b", "c"]]);
  expect(told).toEqual(["a stored", "b stored", "c stored"]);
});

test("one that can't be written takes no other with it", async () => {
  const store = new Store("b");
  const told: string[] = [];
  const group = new FlushGroup(store);
  for (const key of ["a", "b", "c"]) group.add(session(key, told));
  await expect.poll(() => told).toEqual(["a stored", "b it can't be written", "c stored"]);
  expect(store.transactions).toEqual([["a"], ["c"]]);
});

test("what is added while it writes goes with the next one", async () => {
  const store = new Store();
  const told: string[] = [];
  const group = new FlushGroup(store);
  const first = session("a", told);
  group.add({
    takeFlush: () => {
      group.add(session("late", told));
      return first.takeFlush();
    },
  });
  await expect.poll(() => store.transactions).toEqual([["a"], ["late"]]);
});

test("[session.group-commit] of very many sessions it is several, and what waits comes in between", async () => {
  const store = new Store();
  const told: string[] = [];
  const group = new FlushGroup(store);
  for (let at = 0; at < 40; at += 1) group.add(session(`s${at}`, told));
  const seen: number[] = [];
  const look = (): void => {
    seen.push(store.transactions.length);
    if (store.transactions.length < 3) setImmediate(look);
  };
  setImmediate(look);
  await expect.poll(() => store.transactions.map(({ length }) => length)).toEqual([16, 16, 8]);
  expect(seen.slice(0, 3)).toEqual([1, 2, 3]);
  expect(told).toHaveLength(40);
});
