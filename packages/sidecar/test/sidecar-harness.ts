import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { VmDriver } from "@agentos/core";
import {
  type CallbackParams,
  type CallbackResult,
  createMemoryTransportPair,
  type EventName,
  type LeasedVm,
  type MethodParams,
  Peer,
  SUPPORTED_VERSIONS,
  type VmScope,
} from "@agentos/protocol";
import { FakeClock, FakeDriver, type FakeDriverOptions, RecordingSink } from "@agentos/testing";

import type { Log } from "../src/log.ts";
import type { SidecarOptions } from "../src/options.ts";
import { Connection } from "../src/server/connection.ts";
import { type Ready, Sidecar } from "../src/sidecar.ts";

export const CLIENT = { name: "test", version: "1.0.0" };

/** Keeps what is logged. */
export class RecordingLog implements Log {
  readonly lines: { level: string; facts: Record<string, unknown>; message: string }[] = [];
  debug = (facts: Record<string, unknown>, message: string) =>
    void this.lines.push({ level: "debug", facts, message });
  info = (facts: Record<string, unknown>, message: string) =>
    void this.lines.push({ level: "info", facts, message });
  warn = (facts: Record<string, unknown>, message: string) =>
    void this.lines.push({ level: "warn", facts, message });
  error = (facts: Record<string, unknown>, message: string) =>
    void this.lines.push({ level: "error", facts, message });
}

/** A client over any transport, with its streams and events recorded. */
export class TestClient implements AsyncDisposable {
  readonly peer: Peer;
  readonly events: { event: EventName; data: unknown }[] = [];
  /** What the client's functions do. */
  onCallback: ((params: CallbackParams) => Promise<CallbackResult>) | undefined;
  readonly #sinks = new Map<number, RecordingSink>();
  #change = Promise.withResolvers<void>();
  #lastStream = 0;
  #lastId = 0;

  constructor(transport: ConstructorParameters<typeof Peer>[0]) {
    this.peer = new Peer(transport, {
      handlers: {
        ping: () => ({}),
        "callback.call": (params) => {
          if (this.onCallback === undefined) throw new Error("no function of the client is known");
          return this.onCallback(params);
        },
      },
      onEvent: (event, data) => {
        this.events.push({ event, data });
        this.#change.resolve();
        this.#change = Promise.withResolvers<void>();
      },
      onFrame: (frame, bytes) => this.#sinks.get(frame.stream)?.frame(bytes),
    });
  }

  async authenticate(): Promise<string> {
    const { connectionId } = await this.peer.request("authenticate", {
      protocol: SUPPORTED_VERSIONS,
      client: CLIENT,
    });
    return connectionId;
  }

  /** Resolves with what the first event of that name said, past or to come. */
  async event(name: EventName): Promise<unknown> {
    for (;;) {
      const found = this.events.find(({ event }) => event === name);
      if (found !== undefined) return found.data;
      // oxlint-disable-next-line no-await-in-loop -- The next event is what this waits for.
      await this.#change.promise;
    }
  }

  id(kind: string): string {
    this.#lastId += 1;
    return `${kind}-${this.#lastId}`;
  }

  /** A numbered stream whose bytes are acknowledged at once, unless told not to. */
  openStream(acknowledge = true): { stream: number; sink: RecordingSink } {
    this.#lastStream += 1;
    const sink = new RecordingSink();
    if (acknowledge)
      sink.attach({ send: (frame) => this.peer.sendFrame(frame), close: () => undefined });
    this.#sinks.set(this.#lastStream, sink);
    return { stream: this.#lastStream, sink };
  }

  async create(spec: Partial<MethodParams<"vm.create">> = {}): Promise<LeasedVm> {
    return await this.peer.request("vm.create", {
      vmId: this.id("vm"),
      leaseId: this.id("lease"),
      ...spec,
    });
  }

  /** Starts a process and gives its recorded stream and its answer to come. */
  exec(
    scope: VmScope,
    argv: string[],
    more: Partial<MethodParams<"process.exec">> = {},
    signal?: AbortSignal,
  ) {
    const { stream, sink } = this.openStream();
    const processId = this.id("process");
    const { vmId, fence } = scope;
    const exit = this.peer.request(
      "process.exec",
      { vmId, fence, processId, argv, stream, ...more },
      { signal, deadlineMs: null },
    );
    // Each test looks at those that it cares for.
    exit.catch(() => undefined);
    return { exit, sink, stream, processId };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.peer.close();
    await this.peer.closed;
  }
}

export interface TestSidecarOptions extends Partial<
  Omit<SidecarOptions, "drivers" | "clock" | "log">
> {
  fake?: FakeDriverOptions;
  drivers?: readonly VmDriver[];
}

/** A whole sidecar in this process, on fake VMs and a fake clock, in directories of its own. */
export class TestSidecar implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly log = new RecordingLog();
  readonly driver: FakeDriver;
  readonly directory: string;
  sidecar!: Sidecar;
  ready!: Ready;

  /** `prepare` comes before the sidecar, in directories that are there. */
  static async start(
    options: TestSidecarOptions = {},
    prepare: (test: TestSidecar) => Promise<void> = () => Promise.resolve(),
  ): Promise<TestSidecar> {
    const test = new TestSidecar(
      await mkdtemp(join(tmpdir(), "sc-")),
      new FakeDriver(options.fake),
    );
    await prepare(test);
    const { fake: _fake, drivers, ...rest } = options;
    const started = await Sidecar.start({
      sidecarId: "test-sidecar",
      stateDirectory: join(test.directory, "state"),
      runtimeDirectory: join(test.directory, "run"),
      ...rest,
      drivers: async () => drivers ?? [test.driver],
      log: test.log,
      clock: test.clock,
    }).catch(async (error: unknown) => {
      await rm(test.directory, { recursive: true, force: true });
      throw error;
    });
    if (started === undefined) {
      await rm(test.directory, { recursive: true, force: true });
      throw new Error("another sidecar has this test's own directory");
    }
    test.sidecar = started.sidecar;
    test.ready = started.ready;
    return test;
  }

  constructor(directory: string, driver: FakeDriver) {
    this.directory = directory;
    this.driver = driver;
  }

  /** Everything that its files hold, as it stands there. */
  filesText(): string {
    const state = join(this.directory, "state");
    const files = readdirSync(state).map((name) => readFileSync(join(state, name), "latin1"));
    return files.join("\n");
  }

  /** A client over memory, authenticated, with the key that is given or the sidecar's own. */
  async connect(apiKey = this.ready.apiKey): Promise<TestClient> {
    const client = this.connectRaw(apiKey);
    await client.authenticate();
    return client;
  }

  connectRaw(apiKey = this.ready.apiKey): TestClient {
    const key = this.sidecar.parts.keys.verify(apiKey);
    if (key === undefined) throw new Error("not a key of this sidecar");
    const [ours, theirs] = createMemoryTransportPair();
    void new Connection({
      transport: theirs,
      key,
      parts: this.sidecar.parts,
      clock: this.clock,
      log: this.log,
    });
    return new TestClient(ours);
  }

  /** A key of another user. */
  async keyOf(user: string): Promise<string> {
    await using owner = await this.connect();
    return (await owner.peer.request("key.create", { user })).apiKey;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sidecar.close("the test is over");
    await rm(this.directory, { recursive: true, force: true });
  }
}
