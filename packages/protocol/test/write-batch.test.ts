import { expect, test } from "vitest";

import { WriteBatch } from "../src/write-batch.ts";

class Recording {
  readonly calls: string[] = [];

  cork(): void {
    this.calls.push("cork");
  }

  uncork(): void {
    this.calls.push("uncork");
  }

  write(name: string): void {
    this.calls.push(name);
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("what one event sends is one write, promises that follow from it included", async () => {
  const target = new Recording();
  const batch = new WriteBatch(target);
  const send = (name: string): void => {
    batch.join();
    target.write(name);
  };
  setImmediate(() => {
    send("a");
    void Promise.resolve()
      .then(() => send("b"))
      .then(() => send("c"));
  });
  await turn();
  await turn();
  expect(target.calls).toEqual(["cork", "a", "b", "c", "uncork"]);
  send("d");
  await turn();
  expect(target.calls.slice(5)).toEqual(["cork", "d", "uncork"]);
});

test("a target that is never written to is never held back", async () => {
  const target = new Recording();
  expect(new WriteBatch(target)).toBeDefined();
  await turn();
  expect(target.calls).toEqual([]);
});
