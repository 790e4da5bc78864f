import {
  type AgentOsError,
  FRAME_KIND,
  isAgentOsError,
  type Lease,
  type LimitName,
  type MethodName,
  type MethodParams,
  type MethodResult,
  type NetworkDecision,
  type ProcessExit,
  type ReachedLimitName,
  type RequestOptions,
  type StreamFrame,
  type VmInfo,
} from "@agentos/protocol";

import type { Connection } from "../connection/connection.ts";
import type { FrameReceiver } from "../connection/frame-receiver.ts";
import { isLost, unknownEffect } from "../connection/lost-connection.ts";
import type { Resumable } from "../connection/resumable.ts";
import { raceSignal } from "../race-signal.ts";
import { decodeFailure } from "./decode-failure.ts";
import {
  disposed,
  fenced,
  ignoreGone,
  sidecarLost,
  vmEnded,
  whyNotResumed,
} from "./lease-errors.ts";
import { ProcessExits } from "./process-exits.ts";
import { isRepeatable } from "./repeatable.ts";
import { VmStream } from "./vm-stream.ts";

/** The step that a sidecar names when a stream's VM side went away. */
const BROKEN_STEP = "stream";
/** How long the event of a VM's end may trail the frame that breaks its streams. */
const END_EVENT_MS = 1_000;
/** What a sidecar has at least to answer for a lease: it may be taking VMs over. */
const SHORTEST_RESUME_MS = 5_000;

/** A VM uses more than four fifths of what a limit gives it. */
export interface LimitNear extends LimitHit {
  readonly limit: LimitName;
  readonly used: number;
}

/** A limit of a VM was hit. */
export interface LimitHit {
  readonly limit: ReachedLimitName;
  readonly value: number;
}

export interface VmAdminOptions {
  connection: Connection;
  lease: Lease;
  vm: VmInfo;
  /** The connection after a lost one, looked for as long as the lease lasts without; undefined: the sidecar is gone. */
  reconnect: (lost: Connection, graceMs: number) => Promise<Connection | undefined>;
}

/** One leased VM, over whichever connection holds the lease: every effect on the VM goes through here. */
export class VmAdmin {
  readonly vm: VmInfo;
  readonly #lease: Lease;
  readonly #reconnect: VmAdminOptions["reconnect"];
  readonly #underWay = new Set<Resumable>();
  readonly #exits = new ProcessExits();
  readonly #limitListeners = new Set<(hit: LimitHit) => void>();
  readonly #nearListeners = new Set<(near: LimitNear) => void>();
  readonly #networkListeners = new Set<(decision: NetworkDecision) => void>();
  readonly #ended = Promise.withResolvers<AgentOsError>();
  #connection: Connection;
  #unsubscribe: () => void = () => undefined;
  #over: AgentOsError | undefined;
  /** Nothing is left to be given back. */
  #isGone = false;
  #recovery: Promise<void> | undefined;

  constructor(options: VmAdminOptions) {
    this.vm = options.vm;
    this.#lease = options.lease;
    this.#reconnect = options.reconnect;
    this.#connection = options.connection;
    this.#listen(options.connection);
    this.#hold(options.connection);
  }

  get vmId(): string {
    return this.#lease.vmId;
  }

  /** What every request on the VM carries. */
  get scope(): { vmId: string; fence: number } {
    return { vmId: this.#lease.vmId, fence: this.#lease.fence };
  }

  /** Asks about the VM. Over a lost connection, what changes nothing the second time is asked again; the rest fails with `CONNECTION_LOST`. */
  async request<M extends MethodName>(
    method: M,
    params: MethodParams<M>,
    options?: RequestOptions,
  ): Promise<MethodResult<M>> {
    for (;;) {
      const connection = this.#usable ?? (await this.#connected(options?.signal));
      try {
        return await connection.request(method, params, options);
      } catch (error) {
        if (!isLost(error, connection)) throw error;
        if (isRepeatable(method, params)) continue;
        await this.#recovered(connection, options?.signal);
        throw this.#over ?? unknownEffect(method, error);
      }
    }
  }

  /** Begins over the connection, or the next one where it is lost, and goes on over each further one until `finish`. */
  begin(resumable: Resumable): void {
    if (this.#over !== undefined) return resumable.lost(this.#over);
    this.#underWay.add(resumable);
    const connection = this.#usable;
    if (connection !== undefined) resumable.resume(connection);
  }

  /** Nothing of it is under way any more. */
  finish(resumable: Resumable): void {
    this.#underWay.delete(resumable);
  }

  /** A stream, not yet on a connection. A frame that says that it broke ends what is under way on it. */
  openStream(receiver: FrameReceiver & Pick<Resumable, "lost">): VmStream {
    const stream: VmStream = new VmStream((frame) => {
      if (frame.kind !== FRAME_KIND.fail) return receiver.frame(frame);
      void this.#break(frame, stream, receiver);
    });
    return stream;
  }

  /** Closes a file's or a log's stream, and frees it at the sidecar. */
  abandon(stream: VmStream): void {
    stream.abandon((connection, number) => {
      // Over already, or its connection is: either way nothing reads or writes any more.
      connection.request("stream.close", { ...this.scope, stream: number }).catch(() => undefined);
    });
  }

  /** Calls back when the process ends; the result stops it. */
  onExit(processId: string, listener: (exit: ProcessExit) => void): () => void {
    return this.#exits.listen(processId, listener);
  }

  /** Calls back where a limit is near; the result stops it. */
  onLimitNear(listener: (near: LimitNear) => void): () => void {
    const own = (near: LimitNear): void => listener(near);
    this.#nearListeners.add(own);
    return () => void this.#nearListeners.delete(own);
  }

  /** Calls back at each hit of a limit; the result stops it. */
  onLimit(listener: (hit: LimitHit) => void): () => void {
    const own = (hit: LimitHit): void => listener(hit);
    this.#limitListeners.add(own);
    return () => void this.#limitListeners.delete(own);
  }

  /** Calls back at each decision on a connection out of the VM; the result stops it. */
  onNetwork(listener: (decision: NetworkDecision) => void): () => void {
    const own = (decision: NetworkDecision): void => listener(decision);
    this.#networkListeners.add(own);
    return () => void this.#networkListeners.delete(own);
  }

  /** Ends the VM where the fence is current. What else is done with it afterwards fails with `VM_ENDED`. */
  async end(fence: number): Promise<void> {
    try {
      await this.request("vm.end", { vm: this.vmId, fence });
    } catch (error) {
      if (!isAgentOsError(error, "VM_ENDED")) throw error;
    }
    // Its event may be on its way still.
    this.#end(vmEnded(this.vmId, "ended", undefined));
  }

  /** Gives the lease back. What else is done with it afterwards fails with `DISPOSED`. */
  async release(): Promise<void> {
    const { leaseId, vmId } = this.#lease;
    this.#end(disposed(vmId));
    while (!this.#isGone) {
      const connection = this.#connection;
      try {
        await this.#recover(connection);
        if (connection.isClosed) continue;
        await connection.request("lease.release", { leaseId, vmId });
        this.#isGone = true;
      } catch (error) {
        if (isLost(error, connection)) continue;
        this.#isGone = true;
        ignoreGone(error);
      }
    }
  }

  async #break(
    frame: StreamFrame,
    stream: VmStream,
    receiver: Pick<Resumable, "lost">,
  ): Promise<void> {
    const connection = this.#connection;
    const reason = await this.#broken(frame);
    // Carried on elsewhere, or over.
    if (!stream.isCarriedBy(connection, frame.stream)) return;
    stream.close();
    receiver.lost(reason);
  }

  /** Why a stream broke. Where it was the VM's end, the event that says so may come just after. */
  async #broken(frame: StreamFrame): Promise<AgentOsError> {
    const failure = decodeFailure(frame);
    if (failure.details.syscall !== BROKEN_STEP || this.#over !== undefined)
      return this.#over ?? failure;
    const late = Promise.withResolvers<AgentOsError>();
    const timer = setTimeout(() => late.resolve(failure), END_EVENT_MS);
    return await Promise.race([late.promise, this.#ended.promise]).finally(() =>
      clearTimeout(timer),
    );
  }

  /** The connection to use now; undefined while it has to be waited for. */
  get #usable(): Connection | undefined {
    if (this.#over !== undefined || this.#recovery !== undefined) return undefined;
    return this.#connection.isClosed ? undefined : this.#connection;
  }

  /** The connection, after a recovery under way. Rejects with why the lease is over, or `CANCELLED`. */
  async #connected(signal: AbortSignal | undefined): Promise<Connection> {
    for (;;) {
      await this.#recovered(this.#connection, signal);
      if (this.#over !== undefined) throw this.#over;
      const connection = this.#usable;
      if (connection !== undefined) return connection;
    }
  }

  /** Once the lease is held again, or over. */
  async #recovered(lost: Connection, signal: AbortSignal | undefined): Promise<void> {
    const settled = Promise.race([this.#recover(lost), this.#ended.promise]);
    await raceSignal(settled, signal, "waiting for the connection");
  }

  #listen(connection: Connection): void {
    this.#unsubscribe = connection.subscribe(this.vmId, {
      exited: (exit) => this.#exits.tell(exit),
      ended: ({ reason, detail }) => this.#end(vmEnded(this.vmId, reason, detail)),
      fenced: ({ leaseId, currentFence }) => {
        if (leaseId === this.#lease.leaseId) this.#end(fenced(this.scope, currentFence));
      },
      limited: ({ limit, value }) => {
        for (const listener of Array.from(this.#limitListeners)) tell(listener, { limit, value });
      },
      nearLimit: ({ vmId: _vmId, ...near }) => {
        for (const listener of Array.from(this.#nearListeners)) tell(listener, near);
      },
      connected: ({ vmId: _vmId, ...decision }) => {
        for (const listener of Array.from(this.#networkListeners)) tell(listener, decision);
      },
    });
  }

  #hold(connection: Connection): void {
    this.#connection = connection;
    void connection.closed.then(() => this.#recover(connection));
  }

  /** Every caller that lost `lost` waits for the same attempt. */
  #recover(lost: Connection): Promise<void> {
    if (this.#isGone || lost !== this.#connection || !lost.isClosed)
      return this.#recovery ?? Promise.resolve();
    this.#recovery ??= this.#resume(lost).finally(() => {
      this.#recovery = undefined;
    });
    return this.#recovery;
  }

  async #resume(first: Connection): Promise<void> {
    const { leaseId, ttlMs } = this.#lease;
    for (let lost = first; ;) {
      this.#unsubscribe();
      const next = await this.#reconnect(lost, ttlMs);
      if (next === undefined) return this.#end(sidecarLost(first.sidecarId, this.vmId));
      // Before the answer: events may follow it at once.
      if (this.#over === undefined) this.#listen(next);
      try {
        const deadlineMs = Math.max(ttlMs, SHORTEST_RESUME_MS);
        await next.request("lease.resume", { leaseId, ...this.scope }, { deadlineMs });
        return this.#resumed(next);
      } catch (error) {
        if (!isLost(error, next))
          return this.#end(whyNotResumed(error, { first, next, vmId: this.vmId }));
        lost = next;
      }
    }
  }

  #resumed(next: Connection): void {
    // Disposed meanwhile: the release goes to where the lease now is.
    this.#hold(next);
    if (this.#over !== undefined) return;
    for (const resumable of Array.from(this.#underWay)) resumable.resume(next);
  }

  #end(reason: AgentOsError): void {
    if (reason.code !== "DISPOSED") this.#isGone = true;
    // The first reason stays, but for the user's own dispose.
    if (this.#over !== undefined && reason.code !== "DISPOSED") return;
    this.#over = reason;
    this.#unsubscribe();
    this.#ended.resolve(reason);
    const underWay = [...this.#underWay];
    this.#underWay.clear();
    for (const resumable of underWay) resumable.lost(reason);
  }
}

/** A listener's own error is its program's, as in any callback, and not the connection's. */
function tell<T>(listener: (event: T) => void, event: T): void {
  queueMicrotask(() => listener(event));
}
