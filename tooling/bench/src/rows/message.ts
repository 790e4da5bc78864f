import { mkdtempSync, rmSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Log, Sidecar } from "@agentos/sidecar";
import { FakeDriver, ScriptedRuntime, type ScriptedTurn } from "@agentos/testing";

import { atLeast, atMost, type Row } from "../row.ts";
import { summarise } from "../sample.ts";

const POOL = "bench-relay";
const BURST = 2_000;
const BURST_AGENTS = 10;
const PING = /ping (\d+) (\d+)/;

const HOLDER = {
  id: "bench",
  user: "bench",
  isClosed: false,
  emit: () => undefined,
  letGo: () => undefined,
};

const SILENT: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** From one agent's tool call to the beginning of the other's turn, and how many messages a second are durably dealt with. */
export const messageRow: Row = {
  name: "message",
  run: async ({ count }) => {
    const hops: number[] = [];
    const pong = Promise.withResolvers<void>();
    const runtime = new ScriptedRuntime({
      name: "echo",
      script: (turn) => echo(turn, hops, pong.resolve),
    });
    await using world = await World.start(runtime);
    await world.spawn("a");
    await world.spawn("b");
    await world.send("a", pingText(count));
    await pong.promise;
    const perSecond = await burst(world);
    return {
      row: "a message between two echo agents",
      unit: "ms",
      variants: { hop: summarise(hops.slice(Math.floor(hops.length / 2))) },
      goals: [
        atMost("p50", summarise(hops.slice(Math.floor(hops.length / 2))).p50, 2),
        atLeast("durable messages per second", Math.round(perSecond), 2_000),
      ],
    };
  },
};

/** Notes when a ping came, and sends the next one to the other agent. */
async function echo(
  { content, call, request }: ScriptedTurn,
  hops: number[],
  done: () => void,
): Promise<string> {
  const found = PING.exec(JSON.stringify(content));
  if (found === null) return "ok";
  const [, left = "0", sentAt = "0"] = found;
  hops.push(Number(process.hrtime.bigint() - BigInt(sentAt)) / 1e6);
  const others = JSON.stringify(await call("relay_agents"));
  const to = others.includes(String.raw`{\"you\":\"a\"`) ? "b" : "a";
  if (left === "0") done();
  else
    await call(
      "relay_send",
      { to, text: pingText(Number(left) - 1) },
      `${request.sessionId}-${left}`,
    );
  return "ok";
}

function pingText(left: number): string {
  return `ping ${left} ${process.hrtime.bigint()}`;
}

async function burst(world: World): Promise<number> {
  const names = Array.from({ length: BURST_AGENTS }, (_, index) => `echo ${index}`);
  for (const name of names) await world.spawn(name);
  const startedAt = performance.now();
  const messages = Array.from({ length: BURST }, (_, index) => `message ${index}`);
  await Promise.all(
    messages.map((text, index) => world.send(names[index % BURST_AGENTS] ?? "a", text)),
  );
  await world.quiet();
  return (BURST * 1_000) / (performance.now() - startedAt);
}

/** A pool's sidecar in this process, with its state file on disk, and one VM of memory. */
class World implements AsyncDisposable {
  readonly #directory: string;
  readonly #sidecar: Sidecar;
  readonly #scope: { vmId: string; fence: number };

  static async start(runtime: ScriptedRuntime): Promise<World> {
    const directory = mkdtempSync(join(tmpdir(), "aos-message-"));
    const started = await Sidecar.start({
      sidecarId: POOL,
      pool: POOL,
      stateDirectory: join(directory, "s"),
      runtimeDirectory: join(directory, "r"),
      drivers: async () => [new FakeDriver()],
      runtimes: [runtime],
      log: SILENT,
    });
    if (started === undefined) throw new Error("the bench's own pool is in use");
    const { sidecar } = started;
    const ids = { vmId: "vm", leaseId: "lease" };
    const signal = new AbortController().signal;
    const { lease } = await sidecar.parts.host.create(HOLDER, ids, signal);
    return new World(directory, sidecar, { vmId: lease.vmId, fence: lease.fence });
  }

  private constructor(directory: string, sidecar: Sidecar, scope: { vmId: string; fence: number }) {
    this.#directory = directory;
    this.#sidecar = sidecar;
    this.#scope = scope;
  }

  async spawn(name: string): Promise<void> {
    const agent = { name, session: { runtime: "echo" }, idleMs: 0 };
    await this.#relay.spawn({ user: HOLDER.user, ...this.#scope }, randomUUID(), agent);
  }

  async send(to: string, text: string): Promise<void> {
    await this.#relay.send({ messageId: randomUUID(), to, text }, this.#relay.sender(undefined));
  }

  /** Once no agent works, and no message waits. */
  async quiet(): Promise<void> {
    const isBusy = (): boolean =>
      this.#relay.roster.reachable.some((agent) => !agent.mailbox.isEmpty);
    while (isBusy()) await new Promise((resolve) => setImmediate(resolve));
  }

  get #relay(): ReturnType<Sidecar["parts"]["relay"]["of"]> {
    return this.#sidecar.parts.relay.of(HOLDER.user);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sidecar.close("the row is over");
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
