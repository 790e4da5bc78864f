import { randomBytes } from "node:crypto";

import type { AgentSessions } from "@agentos/core";
import { AgentOsError } from "@agentos/protocol";
import { Relay } from "@agentos/relay";
import { FakeClock } from "@agentos/testing";
import { expect, test } from "vitest";

import { Store } from "../../src/store/store.ts";

const PLACE = { user: "owner", vmId: "vm", fence: 1 };
const nothing = (): void => undefined;

/** Sessions that refuse prompts, as full ones do, as often as is said. */
class FullSessions implements AgentSessions {
  refusals = 0;
  readonly prompted: string[] = [];

  prompt(_ref: unknown, { turnId }: { turnId: string }): { seq: number } {
    if (this.refusals > 0) {
      this.refusals -= 1;
      const details = { limit: "queuedTurns", capacity: 1, waiting: 1 };
      throw new AgentOsError("POOL_EXHAUSTED", "one turn waits already", details);
    }
    this.prompted.push(turnId);
    return { seq: 1 };
  }

  look(): ReturnType<AgentSessions["look"]> {
    return { state: "idle", transport: "in_process", canSteer: false, model: null, lastSeq: 0 };
  }

  place(): typeof PLACE {
    return PLACE;
  }

  async open(): Promise<void> {}
  async check(): Promise<string> {
    return "";
  }
  async progress(): ReturnType<AgentSessions["progress"]> {
    return { begun: false, result: undefined };
  }
  async steer(): Promise<boolean> {
    return false;
  }
  async cancel(): Promise<void> {}
  async setModel(): Promise<void> {}
  async input(): Promise<number> {
    return 0;
  }
  wake(): void {}
  async revive(): Promise<void> {}
  async close(): Promise<void> {}
  async use(): ReturnType<AgentSessions["use"]> {
    return { pids: [], memoryBytes: null, cpuMs: null };
  }
  async writeFile(): Promise<void> {}
  subscribe(): () => void {
    return nothing;
  }
}

async function start() {
  const sessions = new FullSessions();
  const clock = new FakeClock();
  const stores = new Store({ key: randomBytes(32) }).relay;
  const relay = new Relay({ sessions, stores, clock, log: { warn: nothing, error: nothing } });
  const own = relay.of("owner");
  await own.spawn(PLACE, "ann", { name: "Ann", session: { runtime: "any" } });
  const send = async (messageId: string): Promise<void> => {
    const person = { kind: "outside", name: "human:kim" } as const;
    await own.send({ messageId, to: "Ann", text: "hello" }, person);
  };
  const deliveryOf = (messageId: string) => {
    own.parts.journal.flush();
    return stores.of("owner").deliveries(messageId)[0];
  };
  return { sessions, clock, send, deliveryOf, own };
}

test("[relay.attempts] what its session refuses for now is tried again, ever later, and counted", async () => {
  const { sessions, clock, send, deliveryOf } = await start();
  sessions.refusals = 3;
  await send("m");
  for (const [attempts, ms] of [
    [1, 1_000],
    [2, 2_000],
    [3, 4_000],
  ] as const) {
    await expect.poll(() => deliveryOf("m")).toMatchObject({ state: "queued", attempts });
    clock.advance(ms - 1);
    await Promise.resolve();
    expect(deliveryOf("m")?.attempts).toBe(attempts);
    clock.advance(1);
  }
  await expect.poll(() => deliveryOf("m")).toMatchObject({ state: "handed_over", attempts: 4 });
  expect(sessions.prompted).toEqual([deliveryOf("m")?.deliveryId]);
});

test("[relay.attempts] after ten tries it is a dead letter, its sender is told, and the next one is tried", async () => {
  const { sessions, clock, send, deliveryOf, own } = await start();
  sessions.refusals = 10;
  await send("m");
  await send("next");
  await expect
    .poll(() => {
      clock.advance(60_000);
      return deliveryOf("m");
    })
    .toMatchObject({ state: "dead_lettered", reason: "too_many_attempts", attempts: 10 });
  await expect.poll(() => deliveryOf("next")).toMatchObject({ state: "handed_over", attempts: 1 });
  const inbox = own.parts.store.inbox({
    recipient: "human:kim",
    all: true,
    limit: 10,
    maxBytes: 10_000,
  });
  expect(inbox).toMatchObject([{ message: { kind: "notice", replyTo: "m" } }]);
});
