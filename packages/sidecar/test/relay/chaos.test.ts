import type { Delivery } from "@agentos/protocol";
import { ScriptedRuntime, type ScriptedTurn } from "@agentos/testing";
import { expect, test } from "vitest";

import { Lives } from "../adoption/lives.ts";
import type { TestClient } from "../sidecar-harness.ts";
import { bodyOf, RelayClient } from "./relay-world.ts";

const AGENTS = 100;
const CHANNELS = 10;
const SENDERS = 10;
const CHUNK = 1_000;
/** `npm run test:chaos` sends 10,000. */
const MESSAGES = Number(process.env["AGENTOS_RELAY_MESSAGES"] ?? 400);
const SEED = Number(process.env["AGENTOS_CHAOS_SEED"] ?? 7);

interface Heard {
  readonly agentId: string;
  readonly text: string;
}

/** Numbers from 0 to below `bound`, the same for the same seed. */
function randomOf(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >>> 8) % bound;
  };
}

/** Agents some of which are slow, and some of which die in a turn. Those of a killed sidecar do nothing any more. */
class Mix {
  readonly heard: Heard[] = [];
  readonly runtime: ScriptedRuntime;
  readonly #random = randomOf(SEED);
  readonly #lives = new Map<object, number>();
  #life = 0;
  #isFrozen = false;

  constructor() {
    this.runtime = new ScriptedRuntime({
      script: (turn) => this.#play(turn),
      onOpen: async (request) => void this.#lives.set(request, this.#life),
    });
  }

  /** From now on nothing that is begun is heard. */
  freeze(): void {
    this.#isFrozen = true;
  }

  nextLife(): void {
    this.#life += 1;
    this.#isFrozen = false;
  }

  async #play({ request, content, forever, exit }: ScriptedTurn): Promise<string> {
    if (this.#isFrozen || this.#lives.get(request) !== this.#life) return await forever();
    this.heard.push({ agentId: request.sessionId, text: bodyOf(content) });
    const luck = this.#random(100);
    if (luck < 3) exit(3);
    for (let ticks = luck < 20 ? 5 : 0; ticks > 0; ticks -= 1) {
      // oxlint-disable-next-line no-await-in-loop -- That is what makes it slow.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return "ok";
  }
}

/** As many at a time as one connection carries. */
async function inChunks<T, R>(values: readonly T[], work: (value: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < values.length; at += CHUNK) {
    // oxlint-disable-next-line no-await-in-loop -- That is the bound.
    results.push(...(await Promise.all(values.slice(at, at + CHUNK).map(work))));
  }
  return results;
}

async function sendAll(relay: RelayClient, from: number, to: number): Promise<string[]> {
  const random = randomOf(SEED + from);
  const indices = Array.from({ length: to - from }, (_, index) => from + index);
  return await inChunks(indices, async (index) => {
    const sender = random(SENDERS);
    const priority = random(5);
    const target = random(4) === 0 ? `#c${random(CHANNELS)}` : `agent ${random(AGENTS)}`;
    const more = { messageId: `m-${index}`, from: `human:s${sender}`, priority };
    const text = JSON.stringify([sender, priority, index]);
    return (await relay.send(target, text, { ...more, mode: "wait" })).messageId;
  });
}

async function spawnAll(relay: RelayClient): Promise<Map<string, string>> {
  const restart = { maxRestarts: 10_000, maxConsecutiveFailures: 10_000, cooldownMs: 1 };
  const names = Array.from({ length: AGENTS }, (_, index) => `agent ${index}`);
  const agents = await Promise.all(
    names.map((name, index) => relay.spawn(name, { channels: [`c${index % CHANNELS}`], restart })),
  );
  return new Map(agents.map(({ name, agentId }) => [name, agentId]));
}

/** Lets time pass for the restarts until nothing is on its way. */
async function settle(lives: Lives, relay: RelayClient): Promise<void> {
  const isQuiet = async (): Promise<boolean> => {
    lives.now.clock.advance(120_000);
    const agents = await relay.agents();
    return agents.every(
      (agent) => agent.pending === 0 && agent.activity === "idle" && agent.state === "ready",
    );
  };
  await expect.poll(isQuiet, { timeout: 300_000, interval: 20 }).toBe(true);
}

/** What is wrong with how often each message was heard. */
function miscounted(
  heard: readonly Heard[],
  agents: Map<string, string>,
  all: readonly Delivery[],
): string[] {
  const counts = new Map<string, number>();
  for (const { agentId, text } of heard) {
    const key = `${agentId} ${String(JSON.parse(text)[2])}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return all.flatMap((delivery) => {
    const { messageId, recipient, state, reason = "" } = delivery;
    const count = counts.get(`${agents.get(recipient)} ${messageId.slice(2)}`) ?? 0;
    // A turn that was begun when the sidecar was killed, or its agent died, is told as such.
    const isTold = state === "failed" && ["interrupted", "turn_failed"].includes(reason);
    return count === 1 || (count === 0 && isTold)
      ? []
      : [`${messageId} ${recipient} ${state} ${count}`];
  });
}

/** Where messages of one sender and priority came in another order than they were sent. */
function misordered(heard: readonly Heard[]): string[] {
  const last = new Map<string, number>();
  return heard.flatMap(({ agentId, text }) => {
    const [sender, priority, index] = JSON.parse(text);
    const key = `${agentId} ${sender} ${priority}`;
    const isBehind = (last.get(key) ?? -1) > index;
    last.set(key, index);
    return isBehind ? [`${key}: ${index}`] : [];
  });
}

async function connected(lives: Lives, lease: { vmId: string; fence: number; leaseId: string }) {
  const client: TestClient = await lives.connect();
  await client.peer.request("lease.resume", lease);
  return { client, relay: new RelayClient(client, lease) };
}

test(`[relay.chaos] ${MESSAGES} messages to ${AGENTS} agents in ${CHANNELS} channels, with crashes and a kill in between`, async () => {
  const mix = new Mix();
  await using lives = await Lives.start({ runtimes: [mix.runtime] });
  const first = await lives.connect();
  const { lease } = await first.create({ vmId: "vm-a", leaseId: "l1" });
  const before = new RelayClient(first, lease);
  const agents = await spawnAll(before);
  const ids = await sendAll(before, 0, MESSAGES / 2);
  mix.freeze();
  await lives.next();
  mix.nextLife();
  const { client, relay } = await connected(lives, lease);
  ids.push(...(await sendAll(relay, MESSAGES / 2, MESSAGES)));
  await settle(lives, relay);
  const deliveries = (await inChunks(ids, (id) => relay.deliveries(id))).flat();
  expect(miscounted(mix.heard, agents, deliveries), `seed ${SEED}`).toEqual([]);
  expect(misordered(mix.heard), `seed ${SEED}`).toEqual([]);
  expect(deliveries.filter(({ attempts }) => attempts > 1)).toEqual([]);
  await first[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
}, 600_000);
