import { expect, test } from "vitest";

import { FairShare } from "../../src/api/fair-share.ts";

/** As long as a piece of work takes. */
const WORK_MS = 0.3;

function work(): void {
  const end = performance.now() + WORK_MS;
  while (performance.now() < end);
}

test("[api.fair-share] what many sessions have to do at once is done in order, and a timer does not wait for all of it", async () => {
  const share = new FairShare();
  const done: number[] = [];
  const sessions = Array.from({ length: 50 }, async (_, at) => {
    await share.turn();
    work();
    done.push(at);
  });
  const timer = Promise.withResolvers<number>();
  setTimeout(() => timer.resolve(done.length), 1);
  await Promise.all(sessions);
  expect(await timer.promise).toBeLessThan(50);
  expect(done).toEqual(Array.from({ length: 50 }, (_, at) => at));
  // The next one finds the loop its own.
  await share.turn();
});

test("[api.fair-share] what was cancelled does not wait for the others", async () => {
  const share = new FairShare();
  const order: string[] = [];
  const others = Array.from({ length: 50 }, async () => {
    await share.turn();
    work();
    order.push("other");
  });
  const cancelled = share.turn(AbortSignal.abort()).then(() => order.push("cancelled"));
  await Promise.all([...others, cancelled]);
  expect(order.indexOf("cancelled")).toBeLessThan(49);
});
