import {
  AgentOsError,
  type EventData,
  FRAME_KIND,
  isAgentOsError,
  type Lease,
  type MethodName,
  type MethodParams,
  type MethodResult,
  type RequestOptions,
  type StreamFrame,
  type VmInfo,
} from "@agentos/protocol";

import type { Connection } from "../connection/connection.ts";
import type { FrameReceiver } from "../connection/frame-receiver.ts";
import { decodeFailure } from "./decode-failure.ts";
import { fenced, ignoreGone, sidecarLost, vmEnded, whyNotResumed } from "./lease-errors.ts";
import { VmStream } from "./vm-stream.ts";

/** Asking these twice changes nothing. */
const REPEATABLE: ReadonlySet<MethodName> = new Set([
  "vm.info",
  "vm.processes",
  "process.list",
  "fs.stat",
  "fs.lstat",
  "fs.readlink",
  "fs.realpath",
]);
/** The step that a sidecar names when a stream's VM side went away. */
const BROKEN_STEP = "stream";
/** How long the event of a VM's end may trail the frame that breaks its streams. */
const END_EVENT_MS = 1_000;

type Exit = EventData<"process.exited">;

export interface VmAdminOptions {
  connection: Connection;
  lease: Lease;
  vm: VmInfo;
  /** Another connection to the same sidecar after one was lost; undefined: the sidecar is gone. */
  reconnect: (lost: Connection) => Promise<Connection | undefined>;
}

/** One leased VM, over whichever connection holds the lease: every effect on the VM goes through here. */
export class VmAdmin {
  readonly vm: VmInfo;
  readonly #lease: Lease;
  readonly #reconnect: VmAdminOptions["reconnect"];
  readonly #watchers = new Set<(reason: AgentOsError) => void>();
  readonly #exits = new Map<string, Set<(exit: Exit) => void>>();
  #connection: Connection;
  #unsubscribe: () => void = () => undefined;
  #over: AgentOsError | undefined;
  #recovery: Promise<void> | undefined;

  constructor(options: VmAdminOptions) {
    this.vm = options.vm;
    this.#lease = options.lease;
    this.#reconnect = options.reconnect;
    this.#connection = options.connection;
    this.#hold(options.connection);
  }

  get vmId(): string {
    return this.#lease.vmId;
  }

  /** What every request on the VM carries. */
  get scope(): { vmId: string; fence: number } {
    return { vmId: this.#lease.vmId, fence: this.#lease.fence };
  }

  /** The connection to use now, or undefined while it has to be waited for with `connected`. */
  get connection(): Connection | undefined {
    if (this.#over !== undefined) throw this.#over;
    return this.#recovery === undefined && !this.#connection.isClosed
      ? this.#connection
      : undefined;
  }

  /** The connection, after a recovery under way. Rejects with why the lease is over. */
  async connected(): Promise<Connection> {
    await this.#recover(this.#connection);
    return this.connection ?? (await this.connected());
  }

  /** Asks about the VM. A lost connection is told apart from a lost sidecar, and what changes nothing is asked again over the next one. */
  async request<M extends MethodName>(
    method: M,
    params: MethodParams<M>,
    options?: RequestOptions,
  ): Promise<MethodResult<M>> {
    const connection = this.connection ?? (await this.connected());
    try {
      return await connection.request(method, params, options);
    } catch (error) {
      const reason = await this.explain(error, connection);
      const canRepeat = connection.isClosed && this.#over === undefined && REPEATABLE.has(method);
      if (canRepeat && reason === error) return await this.request(method, params, options);
      throw reason;
    }
  }

  /** The error to show for `error`, which a request on `connection` ended with. */
  async explain(error: unknown, connection: Connection): Promise<unknown> {
    const lost =
      isAgentOsError(error, "CONNECTION_LOST") || isAgentOsError(error, "PROTOCOL_ERROR");
    if (!lost || !connection.isClosed) return error;
    await this.#recover(connection);
    return this.#over ?? error;
  }

  /** A stream on `connection` whose receiver also hears the end of the lease and the VM. */
  openStream(connection: Connection, receiver: FrameReceiver): VmStream {
    const forget = (): void => void this.#watchers.delete(end);
    const number = connection.openStream({
      frame: (frame) => {
        if (frame.kind === FRAME_KIND.fail) void this.#broken(frame).then(end);
        else receiver.frame(frame);
      },
      closed: (reason) => void this.#explained(reason, connection).then(end),
    });
    const stream = new VmStream(connection, number, forget);
    const end = (reason: AgentOsError): void => {
      if (!stream.isOpen) return;
      stream.close();
      receiver.closed(reason);
    };
    this.#watchers.add(end);
    return stream;
  }

  /** Calls back when the process ends; the result stops it. */
  onExit(processId: string, listener: (exit: Exit) => void): () => void {
    const listeners = this.#exits.get(processId) ?? new Set();
    listeners.add(listener);
    this.#exits.set(processId, listeners);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#exits.get(processId) === listeners)
        this.#exits.delete(processId);
    };
  }

  /** Gives the lease back. What else is done with it afterwards fails with `DISPOSED`. */
  async release(): Promise<void> {
    const gone = this.#over !== undefined;
    this.#end(
      new AgentOsError("DISPOSED", `VM ${this.vmId} has been disposed`, {
        kind: "vm",
        id: this.vmId,
      }),
    );
    await this.#recovery;
    if (gone || this.#connection.isClosed) return;
    const { leaseId, vmId } = this.#lease;
    await this.#connection.request("lease.release", { leaseId, vmId }).catch(ignoreGone);
  }

  /** Why a stream broke. Where it was the VM's end, the event that says so may come just after. */
  async #broken(frame: StreamFrame): Promise<AgentOsError> {
    const failure = decodeFailure(frame);
    if (failure.details.syscall !== BROKEN_STEP || this.#over !== undefined)
      return this.#over ?? failure;
    return await new Promise((resolve) => {
      const settle = (reason: AgentOsError): void => {
        clearTimeout(timer);
        this.#watchers.delete(settle);
        resolve(reason);
      };
      const timer = setTimeout(() => settle(failure), END_EVENT_MS);
      this.#watchers.add(settle);
    });
  }

  async #explained(reason: AgentOsError, connection: Connection): Promise<AgentOsError> {
    await this.#recover(connection);
    return this.#over ?? reason;
  }

  #hold(connection: Connection): void {
    this.#connection = connection;
    this.#unsubscribe = connection.subscribe(this.vmId, {
      exited: (exit) => {
        for (const listener of Array.from(this.#exits.get(exit.processId) ?? [])) listener(exit);
      },
      ended: ({ reason, detail }) => this.#end(vmEnded(this.vmId, reason, detail)),
      fenced: ({ leaseId, currentFence }) => {
        if (leaseId === this.#lease.leaseId) this.#end(fenced(this.scope, currentFence));
      },
    });
    void connection.closed.then(() => this.#recover(connection));
  }

  /** Every caller that lost `lost` waits for the same attempt. */
  #recover(lost: Connection): Promise<void> {
    if (this.#over !== undefined || lost !== this.#connection || !lost.isClosed)
      return Promise.resolve();
    this.#recovery ??= this.#resume(lost).finally(() => {
      this.#recovery = undefined;
    });
    return this.#recovery;
  }

  async #resume(lost: Connection): Promise<void> {
    const gone = sidecarLost(lost.sidecarId, this.vmId);
    this.#unsubscribe();
    const next = await this.#reconnect(lost);
    if (next === undefined) return this.#end(gone);
    try {
      const { leaseId } = this.#lease;
      await next.request("lease.resume", { leaseId, ...this.scope });
      // Disposed meanwhile: the release goes to where the lease now is.
      this.#connection = next;
      if (this.#over === undefined) this.#hold(next);
    } catch (error) {
      // To a later life of the sidecar the lease is unknown: what held it is gone.
      this.#end(next.epoch === lost.epoch ? whyNotResumed(error, gone, this.vmId) : gone);
    }
  }

  #end(reason: AgentOsError): void {
    // The first reason stays, but for the user's own dispose.
    if (this.#over !== undefined && reason.code !== "DISPOSED") return;
    this.#over = reason;
    this.#unsubscribe();
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watcher of watchers) watcher(reason);
  }
}
