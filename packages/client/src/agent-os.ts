import { randomUUID } from "node:crypto";
import type { Duplex } from "node:stream";

import {
  AgentOsError,
  LimitChanges,
  type NetworkDecision,
  NetworkPolicy,
  parseArgument,
  type ProcessInfo,
  type SnapshotInfo,
  type TerminalInfo,
  type VmInfo,
  type VmStats,
} from "@agentos/protocol";

import { type DiffOptions, VmDiff } from "./diff/vm-diff.ts";
import { VmFiles } from "./files/vm-files.ts";
import type { LimitHit, LimitNear } from "./leases/vm-admin.ts";
import type { VmLease } from "./leases/vm-lease.ts";
import { forwardPort } from "./network/forward-port.ts";
import type { FetchInit, ForwardOptions, PortForward } from "./network/network-options.ts";
import { connectTo } from "./network/vm-connection.ts";
import { fetchFrom } from "./network/vm-fetch.ts";
import {
  type AttachOptions,
  type CreateOptions,
  type CreateSidecarOptions,
  type ForkOptions,
  parseAttachOptions,
  parseCreateOptions,
  parseCreateSidecarOptions,
  parseSharedSidecarOptions,
  type SharedSidecarOptions,
  parseSnapshotOptions,
  type SnapshotOptions,
} from "./options.ts";
import type { BufferExecOptions, ExecResult, TextExecOptions } from "./process/exec-options.ts";
import { exec } from "./process/exec.ts";
import { BYTES, TEXT } from "./process/output-encoding.ts";
import { type LogChunk, type LogEnd, type LogOptions, readLog } from "./process/read-log.ts";
import { spawn, type SpawnOptions } from "./process/spawn.ts";
import type { VmProcess } from "./process/vm-process.ts";
import type { Session } from "./sessions/session.ts";
import type { SessionForkOptions } from "./sessions/session-place.ts";
import type { CreateSessionOptions } from "./sessions/session-options.ts";
import { Sessions } from "./sessions/sessions.ts";
import { VmRelay } from "./relay/vm-relay.ts";
import { type AgentOsSidecar, sidecarHandle } from "./sidecar/agent-os-sidecar.ts";
import { chosenSidecar } from "./sidecar/chosen-sidecar.ts";
import { ExplicitHost } from "./sidecar/explicit-host.ts";
import { sharedSidecar } from "./sidecar/shared-sidecars.ts";
import { SidecarCore } from "./sidecar/sidecar-core.ts";
import { UserHoldings } from "./sidecar/user-holdings.ts";
import { forkVm } from "./snapshots/fork.ts";
import { takeSnapshot } from "./snapshots/take-snapshot.ts";
import { attachTerminal, listTerminals, openTerminal } from "./terminal/open-terminal.ts";
import type { Terminal } from "./terminal/terminal.ts";
import type { TerminalOptions } from "./terminal/terminal-options.ts";
import { Workflows } from "./workflows/workflows.ts";

/** A leased VM: an isolated workspace with its own files, processes and network. Disposing gives it back. */
export class AgentOs extends UserHoldings implements AsyncDisposable {
  /** The VM's files. */
  readonly fs: VmFiles;
  /** The sessions with agents, of this VM and of its user. */
  readonly sessions: Sessions;
  /** Workflows of agents and commands in this VM. */
  readonly workflows: Workflows;
  /** Agents by name, and their messages: those of the user, to be started in this VM. */
  readonly relay: VmRelay;
  readonly #core: SidecarCore;
  readonly #lease: VmLease;

  /** Leases a new VM, starting the sidecar where none is alive. */
  static async create(options: CreateOptions = {}): Promise<AgentOs> {
    const { pool, sidecar, signal, ...spec } = parseCreateOptions(options);
    const core = chosenSidecar(pool, sidecar);
    return new AgentOs(core, await core.create(spec, signal));
  }

  /** Another lease on a VM, by name or id. Rejects with `NOT_FOUND`. */
  static async attach(nameOrVmId: string, options: AttachOptions = {}): Promise<AgentOs> {
    const { pool, sidecar, signal, mode = "shared" } = parseAttachOptions(options);
    const core = chosenSidecar(pool, sidecar);
    return new AgentOs(core, await core.attach(nameOrVmId, mode, signal));
  }

  /** The handle on a pool's sidecar, the same one for the same pool until it is disposed. Starts no process. */
  static async getSharedSidecar(options: SharedSidecarOptions = {}): Promise<AgentOsSidecar> {
    const { pool, ...configuration } = parseSharedSidecarOptions(options);
    return sidecarHandle(sharedSidecar(pool, configuration));
  }

  /** A handle on a sidecar of this program's own. Starts no process. */
  static async createSidecar(options: CreateSidecarOptions = {}): Promise<AgentOsSidecar> {
    const { sidecarId = `agent-os-sidecar-${randomUUID()}`, ...configuration } =
      parseCreateSidecarOptions(options);
    return sidecarHandle(
      new SidecarCore({
        sidecarId,
        placement: { kind: "explicit", sidecarId },
        host: new ExplicitHost(sidecarId, randomUUID(), configuration),
        waitingCreateMs: configuration.waitingCreateMs,
        lingerMs: 0,
      }),
    );
  }

  private constructor(core: SidecarCore, lease: VmLease) {
    super();
    this.#core = core;
    this.#lease = lease;
    this.fs = new VmFiles(lease.admin);
    const place = {
      admin: lease.admin,
      forkVm: (options: SessionForkOptions) => this.#forkOne(options),
    };
    this.sessions = new Sessions(place);
    this.workflows = new Workflows(lease.admin);
    this.relay = new VmRelay(place);
  }

  /** The VM's id. */
  get id(): string {
    return this.#lease.vmId;
  }

  /** The VM's name, where it was given one. */
  get name(): string | undefined {
    return this.#lease.admin.vm.name;
  }

  /** The handle that the VM was leased through. */
  get sidecar(): AgentOsSidecar {
    return sidecarHandle(this.#core);
  }

  /** What the VM is now. */
  async info(): Promise<VmInfo> {
    const { admin } = this.#lease;
    return await admin.request("vm.info", admin.scope);
  }

  /** Changes limits of the live VM: all of these, or none. Rejects with `UNSUPPORTED_LIMIT`, naming one that can't be changed. */
  async setLimits(limits: LimitChanges): Promise<VmInfo> {
    const { admin } = this.#lease;
    const checked = parseArgument(LimitChanges, limits, "limits");
    return await admin.request("vm.setLimits", { ...admin.scope, limits: checked });
  }

  /** Runs a command to its end: a string by `/bin/sh -c`, an array without a shell. A failing command does not reject. */
  exec(
    command: string | readonly string[],
    options: BufferExecOptions,
  ): Promise<ExecResult<Uint8Array>>;
  exec(command: string | readonly string[], options?: TextExecOptions): Promise<ExecResult>;
  async exec(
    command: string | readonly string[],
    options: TextExecOptions | BufferExecOptions = {},
  ): Promise<ExecResult | ExecResult<Uint8Array>> {
    const { admin } = this.#lease;
    if (options.encoding === "buffer") return await exec(admin, command, options, BYTES);
    return await exec(admin, command, options, TEXT);
  }

  /** Starts a program and resolves once it runs. */
  async spawn(command: string | readonly string[], options: SpawnOptions = {}): Promise<VmProcess> {
    return await spawn(this.#lease.admin, command, options);
  }

  /**
   * Freezes the VM's files as they are now, for `AgentOs.create({ from })`. Its programs stand still meanwhile, and go
   * on. Rejects with `SNAPSHOT_FAILED`, `ALREADY_EXISTS` or `UNSUPPORTED`.
   */
  async snapshot(options: SnapshotOptions = {}): Promise<SnapshotInfo> {
    const { name, signal } = parseSnapshotOptions(options);
    return await takeSnapshot(this.#lease.admin, { name, signal });
  }

  /**
   * `count` new VMs (default 1, at most 64) that begin with this one's files as they are now. Neither sees what another
   * writes later. Mounts, environment and secrets are not inherited.
   */
  async fork(count = 1, options: ForkOptions = {}): Promise<AgentOs[]> {
    const leases = await forkVm(this.#core, this.#lease.admin, count, options);
    return leases.map((lease) => new AgentOs(this.#core, lease));
  }

  /**
   * What changed in the VM since a snapshot, or since it began: to be iterated as it is found, or awaited for all of
   * it. Rejects with `NOT_FOUND` for a snapshot that is not there.
   */
  diff(options: DiffOptions = {}): VmDiff {
    return new VmDiff(this.#core, this.#lease.admin, options);
  }

  /** Opens a session with an agent in the VM, or resumes one. */
  async createSession(options: CreateSessionOptions): Promise<Session> {
    return await this.sessions.create(options);
  }

  /** Starts a program, by default a shell, on a terminal of its own. */
  async openTerminal(options: TerminalOptions = {}): Promise<Terminal> {
    return await openTerminal(this.#lease.admin, options);
  }

  /** A terminal of the VM, whoever opened it: its output from the oldest kept. Rejects with `NOT_FOUND`. */
  async attachTerminal(id: string): Promise<Terminal> {
    return await attachTerminal(this.#lease.admin, id);
  }

  /** The VM's terminals, ended ones that nobody has closed included. */
  async terminals(): Promise<TerminalInfo[]> {
    return await listTerminals(this.#lease.admin);
  }

  /**
   * Asks an HTTP server in the VM, as `fetch` does: a path, a URL or a Request. Both bodies stream. The URL's host
   * is what the server reads as `Host`; redirects are not followed, and nothing is decompressed. Rejects with
   * `PORT_CLOSED` where no program answers there.
   */
  async fetch(
    port: number,
    request: string | URL | Request,
    init: FetchInit = {},
  ): Promise<Response> {
    return await fetchFrom(this.#lease.admin, port, request, init);
  }

  /**
   * A connection to a program that listens in the VM, as a duplex stream of Node's: for anything but plain HTTP. A
   * WebSocket of the package ws: `new WebSocket(url, { createConnection: () => socket })`. Rejects with `PORT_CLOSED`.
   */
  async connect(port: number, options: { signal?: AbortSignal | undefined } = {}): Promise<Duplex> {
    return await connectTo(this.#lease.admin, port, options);
  }

  /** Listens on this machine's loopback, and connects whoever comes to the port in the VM, until it is disposed. */
  async forward(port: number, options: ForwardOptions = {}): Promise<PortForward> {
    return await forwardPort(this.#lease.admin, port, options);
  }

  /**
   * Sets what the VM's programs may reach, from now on: connections that it forbids are cut. Processes that run
   * keep their environment, and so know of a proxy only where there was one when they began.
   */
  async setNetwork(policy: NetworkPolicy): Promise<VmInfo> {
    const { admin } = this.#lease;
    const network = parseArgument(NetworkPolicy, policy, "policy");
    return await admin.request("vm.setNetwork", { ...admin.scope, network });
  }

  /** Calls back at each decision on a connection that a program of the VM asked for. The result ends it. */
  onNetwork(listener: (decision: NetworkDecision) => void): () => void {
    return this.#lease.admin.onNetwork(listener);
  }

  /** What the VM uses now; `null` where that can't be known on this machine. */
  async stats(): Promise<VmStats> {
    const { admin } = this.#lease;
    return await admin.request("vm.stats", admin.scope);
  }

  /** Calls back each time the VM hits one of its limits. The result ends it. */
  onLimit(listener: (hit: LimitHit) => void): () => void {
    return this.#lease.admin.onLimit(listener);
  }

  /** Calls back, once until less is used again, where the VM uses more than four fifths of a limit. The result ends it. */
  onLimitNear(listener: (near: LimitNear) => void): () => void {
    return this.#lease.admin.onLimitNear(listener);
  }

  /** Every process in the VM. */
  async processes(): Promise<ProcessInfo[]> {
    const { admin } = this.#lease;
    return (await admin.request("vm.processes", admin.scope)).processes;
  }

  /** What a logged process wrote, from the oldest bytes kept to its end, or with `follow: false` to what there is now. Returns where that was. */
  logs(processId: string, options: LogOptions = {}): AsyncGenerator<LogChunk, LogEnd, void> {
    return readLog(this.#lease.admin, processId, options);
  }

  /** Ends the VM for good, its files too, whoever else holds it. Rejects with `FENCED` where another holder took it over. Ended already: nothing happens. */
  async end(): Promise<void> {
    const { admin } = this.#lease;
    const { fence } = admin.scope;
    await admin.end(fence);
  }

  /** Gives the VM back; an unnamed one ends with its last lease. Harmless to repeat. */
  async dispose(): Promise<void> {
    await this.#lease.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
  async #forkOne({ name, signal }: SessionForkOptions): Promise<AgentOs> {
    const names = name === undefined ? undefined : [name];
    const [fork] = await this.fork(1, { names, signal });
    if (fork === undefined) throw new AgentOsError("INTERNAL", "a fork of one VM gave none", {});
    return fork;
  }
}
