import type { Clock } from "@agentos/core";
import {
  DEFAULTS,
  type ListenAddress,
  type SidecarInfo,
  type StartReply,
  SUPPORTED_VERSIONS,
  type Transport,
} from "@agentos/protocol";

import { Relay, WorkflowHost } from "@agentos/relay";
import { openHooks, openTools, SessionHost } from "@agentos/sessions";

import { BOUNDS } from "./bounds.ts";
import { Gateway } from "./gateway/gateway.ts";
import type { SidecarControl, SidecarParts } from "./handlers/handler-context.ts";
import { IdleExit } from "./idle-exit.ts";
import { type ApiKey, ApiKeys } from "./keys/api-keys.ts";
import { errorFacts } from "./log.ts";
import { capacityOf, type DriverContext, type SidecarOptions } from "./options.ts";
import { SessionAgents } from "./relay/session-agents.ts";
import { Connection } from "./server/connection.ts";
import { BoundCallbacks } from "./sessions/bound-callbacks.ts";
import { WebSocketServer } from "./server/websocket-server.ts";
import { VmToolDoors } from "./tools/tool-doors.ts";
import { SidecarHome } from "./sidecar-home.ts";
import { SystemClock } from "./system-clock.ts";
import { DriverSet } from "./vms/driver-set.ts";
import { VmHost } from "./vms/vm-host.ts";
import { HeldPlaces } from "./workflows/held-places.ts";
import { RelayNotices } from "./workflows/relay-notices.ts";
import { SIDECAR_VERSION } from "./version.ts";

export type Ready = Extract<StartReply, { kind: "ready" }>;

type State = "running" | "closing" | "closed";

/** One life of a sidecar: everything it is made of, put together and taken apart. */
export class Sidecar implements AsyncDisposable, SidecarControl {
  readonly #options: SidecarOptions;
  readonly #home: SidecarHome;
  readonly #clock: Clock;
  readonly #keys: ApiKeys;
  readonly #drivers: DriverSet;
  readonly #host: VmHost;
  readonly #callbacks: BoundCallbacks;
  readonly #gateway: Gateway;
  readonly #toolDoors: VmToolDoors;
  readonly #sessions: SessionHost;
  readonly #workflows: WorkflowHost;
  readonly #agents: SessionAgents;
  readonly #relay: Relay;
  readonly #connections = new Set<Connection>();
  readonly #startedAt = new Date().toISOString();
  readonly #closed = Promise.withResolvers<void>();
  #server: WebSocketServer | undefined;
  #idle: IdleExit | undefined;
  #state: State = "running";
  #keep = false;

  /** Listens, or gives undefined where another sidecar of the pool is alive. Rejects with `SIDECAR_START_FAILED`, and nothing is left. */
  static async start(
    options: SidecarOptions,
  ): Promise<{ sidecar: Sidecar; ready: Ready } | undefined> {
    const home = await SidecarHome.take(options);
    if (home === undefined) return undefined;
    const sidecar = new Sidecar(options, home);
    try {
      return { sidecar, ready: await sidecar.#open() };
    } catch (error) {
      await sidecar.close("it could not start");
      throw error;
    }
  }

  private constructor(options: SidecarOptions, home: SidecarHome) {
    this.#options = options;
    this.#home = home;
    const clock = options.clock ?? new SystemClock();
    this.#clock = clock;
    this.#keys = new ApiKeys(clock);
    const { sidecarId } = options;
    const { epoch, store } = home;
    const context = driverContext(options, home);
    this.#drivers = new DriverSet(() => options.drivers(context));
    this.#host = new VmHost({
      sidecarId,
      epoch,
      drivers: this.#drivers,
      capacity: capacityOf(options),
      leaseGraceMs: options.leaseGraceMs ?? DEFAULTS.leaseGraceMs,
      clock,
      log: options.log,
      store,
      onChange: () => this.#idle?.changed(),
      onHeld: (held) => this.#sessions.held(held),
      onAdopted: (adopted) => this.#relay.adopted(adopted),
    });
    this.#callbacks = new BoundCallbacks({
      clock,
      parentOf: (user, sessionId) => this.#sessions.parentOf(user, sessionId),
    });
    this.#gateway = Gateway.inVms({ key: home.key, clock, prices: options.prices });
    this.#agents = new SessionAgents({ sessions: () => this.#sessions, log: options.log });
    this.#toolDoors = new VmToolDoors({ key: home.key, clock });
    this.#sessions = this.#makeSessions();
    this.#workflows = this.#makeWorkflows();
    this.#relay = this.#makeRelay();
  }

  get sidecarId(): string {
    return this.#options.sidecarId;
  }

  get epoch(): number {
    return this.#home.epoch;
  }

  /** Resolves once everything is gone. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** What a connection works with; for tests that bring their own transport. */
  get parts(): SidecarParts {
    return {
      host: this.#host,
      keys: this.#keys,
      control: this,
      sessions: this.#sessions,
      workflows: this.#workflows,
      relay: this.#relay,
      callbacks: this.#callbacks,
    };
  }

  /** Makes the drivers, so that the first create need not. A failure is told to whoever creates. */
  async warmUp(): Promise<void> {
    await this.#drivers.load().catch((error: unknown) => {
      this.#options.log.error(errorFacts(error), "the drivers could not be loaded");
    });
  }

  async info(user: string): Promise<SidecarInfo> {
    const { pool, sidecarId } = this.#options;
    const connections = [...this.#connections].filter((connection) => connection.user === user);
    return {
      sidecarId,
      version: SIDECAR_VERSION,
      pid: process.pid,
      epoch: this.epoch,
      ...(pool === undefined ? {} : { pool }),
      startedAt: this.#startedAt,
      keep: this.#keep,
      ...this.#host.countsOf(user),
      connections: connections.length,
      drivers: await this.#drivers.reports(),
      transcriptBytes: this.#options.transcriptBytes ?? DEFAULTS.transcriptBytes,
    };
  }

  keep(on: boolean): void {
    this.#keep = on;
    if (this.#idle !== undefined) this.#idle.keep = on;
  }

  shutdown(reason: string): void {
    this.close(reason).catch((error: unknown) => {
      this.#options.log.error(errorFacts(error), "the sidecar did not end as it should");
    });
  }

  /** Ends every VM, then itself. Every call shares the first one's end. */
  async close(reason: string): Promise<void> {
    if (this.#state !== "running") return await this.closed;
    this.#state = "closing";
    this.#options.log.info({ reason }, "ending");
    try {
      await this.#drain(reason);
    } finally {
      this.#state = "closed";
      this.#closed.resolve();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close("disposed");
  }

  async #open(): Promise<Ready> {
    const { listen = { kind: "unix", path: this.#home.socketPath }, sidecarId } = this.#options;
    // First, so that nobody asks for a VM of an earlier life before it is known; the taking over itself goes on beside.
    this.#host.restore(this.#home.store.restore());
    this.#sessions.restore();
    this.#workflows.restore();
    this.#relay.restore();
    const server = await WebSocketServer.open({
      listen,
      keys: this.#keys,
      log: this.#options.log,
      onConnection: (transport, key) => this.#accept(transport, key),
    });
    this.#server = server;
    const facts = this.#facts(server.listen);
    await this.#home.publish(facts);
    // Not before: an end in the middle of the start would leave half of it behind.
    this.#idle = this.#idleExit();
    return { kind: "ready", ...facts, sidecarId };
  }

  #makeSessions(): SessionHost {
    const { runtimes = [], maxSessions, transcriptBytes, log } = this.#options;
    return new SessionHost({
      runtimes,
      maxSessions,
      transcriptBytes,
      openTools,
      openHooks,
      gateway: this.#gateway,
      toolDoors: this.#toolDoors,
      store: this.#home.store.sessions,
      vms: this.#host.holds,
      callbacks: (user) => this.#callbacks.of(user),
      clock: this.#clock,
      log,
      toolSources: [{ tools: (session) => this.#relay.tools.tools(session) }],
      onEvents: (ref, events) => this.#agents.told(ref, events),
      onChange: () => this.#idle?.changed(),
    });
  }

  #makeWorkflows(): WorkflowHost {
    const { holds: vms } = this.#host;
    return new WorkflowHost({
      store: this.#home.store.workflows,
      places: new HeldPlaces({
        vms,
        sessions: this.#sessions,
        relay: () => this.#relay,
        clock: this.#clock,
      }),
      notices: new RelayNotices(() => this.#relay),
      callbacks: (user) => this.#callbacks.of(user),
      clock: this.#clock,
      log: this.#options.log,
      onChange: () => this.#idle?.changed(),
    });
  }

  #makeRelay(): Relay {
    return new Relay({
      sessions: this.#agents,
      stores: this.#home.store.relay,
      clock: this.#clock,
      log: this.#options.log,
    });
  }

  #idleExit(): IdleExit | undefined {
    const { pool, idleMs = DEFAULTS.sidecarIdleMs } = this.#options;
    if (pool === undefined) return undefined;
    return new IdleExit({
      clock: this.#clock,
      idleMs,
      isBusy: () => this.#host.isBusy || this.#sessions.isBusy || this.#workflows.isBusy,
      expired: () => this.shutdown("nobody used it"),
    });
  }

  #facts(listen: ListenAddress): Omit<Ready, "kind"> {
    const { sidecarId, epoch } = this;
    const apiKey = this.#keys.createOwn();
    return {
      sidecarId,
      epoch,
      pid: process.pid,
      listen,
      apiKey,
      protocol: { ...SUPPORTED_VERSIONS },
    };
  }

  #accept(transport: Transport, key: ApiKey): void {
    const { log } = this.#options;
    const connection = new Connection({
      transport,
      key,
      parts: this.parts,
      clock: this.#clock,
      log,
    });
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
  }

  async #drain(reason: string): Promise<void> {
    this.#idle?.stop();
    await this.#home.unpublish();
    const { promise: late, resolve } = Promise.withResolvers<"late">();
    const timer = setTimeout(() => resolve("late"), BOUNDS.drainMs);
    const outcome = await Promise.race([this.#endVms(reason), late]);
    clearTimeout(timer);
    if (outcome === "late")
      this.#options.log.error({ drainMs: BOUNDS.drainMs }, "VMs did not end in time");
    for (const connection of this.#connections) connection.close();
    await this.#server?.[Symbol.asyncDispose]();
    this.#relay[Symbol.dispose]();
    await this.#home[Symbol.asyncDispose]();
  }

  /** Those that don't end in time end with their VMs. */
  async #endSessions(reason: string): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, BOUNDS.sessionsEndMs);
    await Promise.race([this.#workflows.close().then(() => this.#sessions.close(reason)), late]);
    clearTimeout(timer);
  }

  async #endVms(reason: string): Promise<void> {
    await this.#endSessions(reason);
    this.#gateway[Symbol.dispose]();
    this.#toolDoors[Symbol.dispose]();
    await this.#host.close(reason);
    await this.#drivers[Symbol.asyncDispose]();
  }
}

function driverContext(options: SidecarOptions, home: SidecarHome): DriverContext {
  const { sidecarId, stateDirectory, agentsDirectory, pool } = options;
  const { warmPoolSize = DEFAULTS.warmPoolSize } = options;
  const { epoch, vmDirectory: runtimeDirectory, diskDirectory, key: linkKey } = home;
  // Nobody succeeds an explicit one: its VMs end with it.
  const adoptGraceMs = pool === undefined ? 0 : DEFAULTS.adoptGraceMs;
  return {
    sidecarId,
    epoch,
    stateDirectory,
    agentsDirectory,
    diskDirectory,
    warmPoolSize,
    runtimeDirectory,
    adoptGraceMs,
    linkKey,
  };
}
