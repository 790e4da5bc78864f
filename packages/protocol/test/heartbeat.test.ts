import { expect, test } from "vitest";

import { Heartbeat } from "../src/heartbeat.ts";
import { createMemoryTransportPair } from "../src/memory-transport.ts";
import { Peer } from "../src/peer.ts";
import { RawEnd } from "./raw-end.ts";

test("a silent peer is pinged, then dead", async () => {
  const raw = new RawEnd({ heartbeatMs: 5, peerDeadMs: 30 });
  expect(await raw.peer.closed).toMatchObject({
    code: "CONNECTION_LOST",
    details: { reason: "silent" },
  });
  expect(raw.envelopes).toContainEqual({ type: "request", id: 1, method: "ping", params: {} });
});

test("a silent peer is dead after the given silence, not an interval later", async () => {
  const dead = Promise.withResolvers<number>();
  const options = { intervalMs: 60_000, deadMs: 20, ping: () => Promise.resolve() };
  const heartbeat = new Heartbeat({ ...options, dead: dead.resolve });
  expect(await dead.promise).toBeGreaterThanOrEqual(20);
  heartbeat.stop();
});

test("a quiet peer that answers pings lives on", async () => {
  const [near, far] = createMemoryTransportPair();
  const times = { heartbeatMs: 2, peerDeadMs: 40 };
  const left = new Peer(near, { handlers: {}, ...times });
  let pings = 0;
  const answered = Promise.withResolvers<void>();
  const right = new Peer(far, {
    handlers: {
      ping: () => {
        // Many times what a dead peer would be given.
        if (++pings === 60) answered.resolve();
        return {};
      },
    },
  });
  await Promise.race([answered.promise, left.closed]);
  expect(left.isClosed).toBe(false);
  left.close();
  right.close();
});

test("time in which this side was held up is no silence", async () => {
  const dead = Promise.withResolvers<number>();
  let pings = 0;
  const heartbeat = new Heartbeat({
    intervalMs: 10,
    deadMs: 50,
    ping: async () => {
      pings++;
    },
    dead: dead.resolve,
  });
  const until = performance.now() + 120;
  while (performance.now() < until);
  // The first turn after the pause must ping, not bury.
  await new Promise((resolve) => setTimeout(resolve, 1));
  const first = await Promise.race([dead.promise, Promise.resolve("alive")]);
  expect(first).toBe("alive");
  await dead.promise;
  expect(pings).toBeGreaterThan(0);
  heartbeat.stop();
});
