import { expect, test } from "vitest";

import { createMemoryTransportPair } from "../src/memory-transport.ts";

test("messages arrive in order, copied, after the call, and before the close", async () => {
  const [a, b] = createMemoryTransportPair();
  const heard: unknown[] = [];
  const closed = Promise.withResolvers<void>();
  b.onMessage = (message) => heard.push(typeof message === "string" ? message : [...message]);
  b.onClose = () => closed.resolve();
  const bytes = Uint8Array.of(1, 2);
  a.send("first");
  a.send(bytes);
  bytes.fill(0);
  a.close();
  a.send("after the close");
  expect(heard).toEqual([]);
  await closed.promise;
  expect(heard).toEqual(["first", [1, 2]]);
});

test("both ends hear of a close once, whoever closed", async () => {
  const [a, b] = createMemoryTransportPair();
  let closes = 0;
  const both = Promise.withResolvers<void>();
  const close = (): void => {
    if (++closes === 2) both.resolve();
  };
  a.onClose = close;
  b.onClose = close;
  a.close();
  b.close();
  await both.promise;
  await new Promise((resolve) => setImmediate(resolve));
  expect(closes).toBe(2);
});
