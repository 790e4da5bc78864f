import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";

import { AgentOs, PROTOCOL_VERSION } from "@agentos/client";
import { type Log, Sidecar } from "@agentos/sidecar";
import {
  FakeClock,
  FakeDriver,
  ScriptedRuntime,
  type ScriptedRuntimeOptions,
  type ScriptedTurn,
} from "@agentos/testing";

import { BrokerHome } from "../../src/relay-broker/broker-home.ts";
import { ClientGate } from "../../src/relay-broker/client-gate.ts";
import { HostVms } from "../../src/relay-broker/host-vms.ts";
import { serveBroker } from "../../src/relay-broker/serve-broker.ts";
import { V1Client } from "./v1-client.ts";

const nothing = (): void => undefined;
const SILENT: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

export interface LiveWorldOptions {
  readonly script?: (turn: ScriptedTurn, text: string) => Promise<string>;
  /** What the agents can do beside prompts. */
  readonly controls?: NonNullable<ScriptedRuntimeOptions["controls"]>;
  /** It keeps what a later broker wants. */
  readonly persist?: boolean;
  /** The provider of that name is not installed. */
  readonly isClaudeMissing?: boolean;
}

/** A broker over a real relay: a sidecar in this process, by the client's connection. Its agents do what a script says. */
export class LiveWorld implements AsyncDisposable {
  readonly client: V1Client;
  readonly clock: FakeClock;
  readonly pty: ScriptedRuntime;
  readonly claude: ScriptedRuntime;
  readonly directory: string;
  readonly #end = new AbortController();
  readonly #served: Promise<void>;
  readonly #gate: ClientGate;
  readonly #home: BrokerHome | undefined;
  readonly #sidecar: Sidecar;

  static async start(options: LiveWorldOptions = {}): Promise<LiveWorld> {
    const directory = await mkdtemp(join(tmpdir(), "aos-live-"));
    await mkdir(join(directory, "work"));
    // A program has one place for each pool.
    const pool = directory;
    await mkdir(join(directory, "r", poolFolder(pool)), { recursive: true, mode: 0o700 });
    const { script = playLine, controls } = options;
    const own = controls === undefined ? {} : { controls };
    const made = (name: string) =>
      new ScriptedRuntime({ name, ...own, script: (turn) => script(turn, textOf(turn)) });
    const runtimes = [made("pty"), made("claude-code")] as const;
    const installed = options.isClaudeMissing === true ? [runtimes[0]] : runtimes;
    const clock = new FakeClock();
    const directories = {
      stateDirectory: join(directory, "s"),
      runtimeDirectory: join(directory, "r"),
    };
    const started = await Sidecar.start({
      sidecarId: pool,
      pool,
      stateDirectory: directories.stateDirectory,
      runtimeDirectory: join(directories.runtimeDirectory, poolFolder(pool)),
      drivers: async () => [new FakeDriver()],
      runtimes: installed,
      clock,
      log: SILENT,
    });
    if (started === undefined) throw new Error("the test's own pool is in use");
    const sidecar = await AgentOs.getSharedSidecar({ pool, ...directories });
    const vms = new HostVms({ sidecar, copy: false, driver: undefined });
    const gate = new ClientGate(sidecar, vms);
    const home = options.persist === true ? BrokerHome.take(directory) : undefined;
    return new LiveWorld({ directory, clock, runtimes, gate, home, sidecar: started.sidecar });
  }

  private constructor(parts: {
    directory: string;
    clock: FakeClock;
    runtimes: readonly [ScriptedRuntime, ScriptedRuntime];
    gate: ClientGate;
    home: BrokerHome | undefined;
    sidecar: Sidecar;
  }) {
    const { directory, clock, runtimes, gate, home, sidecar } = parts;
    this.#home = home;
    [this.pty, this.claude] = runtimes;
    this.directory = directory;
    this.clock = clock;
    this.#gate = gate;
    this.#sidecar = sidecar;
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    this.client = new V1Client(stdin, stdout);
    this.#served = serveBroker({
      gate,
      home,
      stdin,
      stdout,
      directory: join(directory, "work"),
      log: { error: nothing, warn: nothing, debug: nothing },
      signal: this.#end.signal,
    });
  }

  async spawn(name: string, more: object = {}, request: object = {}): Promise<void> {
    const agent = { name, runtime: "pty", cli: "bash", ...more };
    await this.client.result("spawn_agent", { agent, ...request });
    await this.client.event("worker_ready", { name });
  }

  /** The event id of a message that was sent. */
  async send(to: string, text: string, more: object = {}): Promise<string> {
    const { event_id } = await this.client.result("send_message", { to, text, ...more });
    if (typeof event_id !== "string") throw new Error("no event id");
    return event_id;
  }

  /** Where it keeps what it keeps. */
  get home(): string {
    return join(this.directory, ".agent-relay");
  }

  /** What the agents were told, in order. */
  get heard(): string[] {
    return this.pty.prompts.map((turn) => textOf(turn));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#served;
    await this.#gate[Symbol.asyncDispose]();
    this.#home?.[Symbol.dispose]();
    await this.#sidecar.close("the test is over");
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Where a client of this pool looks for its sidecar; for any other it would start one. */
function poolFolder(pool: string): string {
  const text = `pool\0${pool}\0${PROTOCOL_VERSION}`;
  return `p-${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
}

/** Ends with the code that a line asks for; else says what it heard. */
async function playLine({ exit, forever, say }: ScriptedTurn, text: string): Promise<string> {
  const code = /exit-(\d+)/.exec(text)?.[1];
  if (code !== undefined) {
    exit(Number(code));
    throw new Error("it is gone");
  }
  if (text.includes("stay")) return await forever();
  say(`got: ${text}`);
  return `got: ${text}`;
}

/** A message's own text; what is before it says who wrote it. */
function textOf({ content }: Pick<ScriptedTurn, "content">): string {
  if (typeof content === "string") return content;
  const texts = content.flatMap((part) => (part.type === "text" ? [part.text] : []));
  return texts.length > 1 ? (texts[1] ?? "") : "";
}
