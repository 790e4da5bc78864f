import { randomUUID } from "node:crypto";

import {
  AgentOsError,
  isAgentOsError,
  type MethodName,
  type MethodParams,
  type MethodResult,
  type Placement,
  type RequestOptions,
  type SidecarDescription,
  type SidecarState,
} from "@agentos/protocol";

import type { Connection } from "../connection/connection.ts";
import { isLost } from "../connection/lost-connection.ts";
import { ReconnectingConnection } from "../connection/reconnecting-connection.ts";
import { LeaseSession } from "../leases/lease-session.ts";
import { VmLease } from "../leases/vm-lease.ts";
import { raceSignal } from "../race-signal.ts";
import { joinErrors } from "./join-errors.ts";
import type { SidecarHost } from "./sidecar-host.ts";
import { withDeadline } from "./with-deadline.ts";

/** A sidecar that ends while it is asked is replaced this often before the caller hears of it. */
const ATTEMPTS = 5;
const RETRY_MS = 40;
/** From the answer of `sidecar.shutdown` to the end of its connections. */
const SHUTDOWN_MS = 15_000;

export interface SidecarCoreOptions {
  sidecarId: string;
  placement: Placement;
  /** The pool's raw name; undefined for an explicit sidecar. */
  sharedPool?: string | undefined;
  host: SidecarHost;
  waitingCreateMs?: number | undefined;
  /** How long the connection stays open without users. */
  lingerMs: number;
  /** Runs once, when the handle has been disposed. */
  onDisposed?: (core: SidecarCore) => void;
}

export type VmParams = Omit<MethodParams<"vm.create">, "vmId" | "leaseId">;
type VmIds = Pick<MethodParams<"vm.create">, "vmId" | "leaseId">;
type Leasing = (session: LeaseSession) => Promise<string>;

/** What is behind a sidecar handle: state, leases, and the connection. */
export class SidecarCore {
  readonly sidecarId: string;
  readonly sharedPool: string | undefined;
  readonly #options: SidecarCoreOptions;
  readonly #connection: ReconnectingConnection;
  readonly #leases = new Set<VmLease>();
  /** Calls that use the connection without a lease yet. */
  readonly #pending = new Set<Promise<unknown>>();
  #state: SidecarState = "ready";
  #disposal: Promise<void> | undefined;
  #linger: NodeJS.Timeout | undefined;

  constructor(options: SidecarCoreOptions) {
    this.#options = options;
    this.sidecarId = options.sidecarId;
    this.sharedPool = options.sharedPool;
    this.#connection = new ReconnectingConnection(options.host);
  }

  get state(): SidecarState {
    return this.#state;
  }

  describe(): SidecarDescription {
    return {
      sidecarId: this.sidecarId,
      placement: structuredClone(this.#options.placement),
      state: this.#state,
      activeVmCount: this.#leases.size,
    };
  }

  /** Makes a VM and leases it. */
  async create(spec: VmParams, signal?: AbortSignal): Promise<VmLease> {
    let ids: VmIds | undefined;
    return await this.#lease(async (session) => {
      const isRepeated = ids !== undefined;
      ids ??= newIds();
      try {
        await session.createVm({ ...spec, ...ids }, signal);
      } catch (error) {
        // What an earlier try of this create made went with the sidecar that was asked.
        if (!isRepeated || !isAgentOsError(error, "VM_ENDED")) throw error;
        ids = newIds();
        await session.createVm({ ...spec, ...ids }, signal);
      }
      return ids.vmId;
    }, signal);
  }

  /** Leases a VM that exists, by id or name. */
  async attach(vm: string, mode: "shared" | "takeover", signal?: AbortSignal): Promise<VmLease> {
    const leaseId = randomUUID();
    return await this.#lease((session) => session.attachVm({ vm, leaseId, mode }, signal), signal);
  }

  /** Runs `call` with a connection, which stays open for as long. A sidecar that ends under it is replaced. */
  async use<T>(call: (connection: Connection) => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#assertReady();
    clearTimeout(this.#linger);
    const running = this.#attempt(call, signal);
    this.#pending.add(running);
    try {
      return await running;
    } finally {
      this.#pending.delete(running);
      await this.#closeWhenIdle();
    }
  }

  /** One request, as `use` makes it. */
  async ask<M extends MethodName>(
    method: M,
    params: MethodParams<M>,
    options: RequestOptions = {},
  ): Promise<MethodResult<M>> {
    return await this.use(
      (connection) => connection.request(method, params, options),
      options.signal,
    );
  }

  /** `use` with a sidecar that is alive; undefined where none is, and none is started. */
  async useAlive<T>(call: (connection: Connection) => Promise<T>): Promise<T | undefined> {
    this.#assertReady();
    if ((await this.#connection.find()) === undefined) return undefined;
    return await this.use(call);
  }

  /** Whether asking a sidecar for VMs can give any. */
  async mayHaveVms(): Promise<boolean> {
    this.#assertReady();
    return await this.#options.host.mayHaveVms();
  }

  /** Ends the sidecar and every VM in it. False: none was alive. */
  async shutdown(): Promise<boolean> {
    this.#assertReady();
    for (let wasAsked = false; ; wasAsked = true) {
      const connection = await this.#connection.find();
      if (connection === undefined) return wasAsked;
      try {
        await connection.request("sidecar.shutdown", {});
        const late = `sidecar ${this.sidecarId} did not end`;
        await withDeadline(connection.closed, SHUTDOWN_MS, late);
        return true;
      } catch (error) {
        // Only the next connection tells whether it ended, or was never asked.
        if (!isLost(error, connection)) throw error;
      } finally {
        this.#connection.forget(connection);
      }
    }
  }

  /** Drains every lease, then ends what this program owns of the sidecar. Every call shares the first one's promise. */
  dispose(): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  async #lease(leasing: Leasing, signal: AbortSignal | undefined): Promise<VmLease> {
    return await this.use(async (connection) => {
      const session = new LeaseSession({
        connection,
        placement: this.#options.placement,
        reconnect: (lost, graceMs) => this.#connection.after(lost, graceMs),
        waitingCreateMs: this.#options.waitingCreateMs,
      });
      try {
        const vmId = await leasing(session);
        // A dispose during the create: no lease on a handle that is not ready.
        this.#assertReady();
        return this.#admit(session, vmId);
      } catch (error) {
        // The first error is the one to know.
        await session.dispose().catch(() => undefined);
        throw error;
      }
    }, signal);
  }

  #admit(session: LeaseSession, vmId: string): VmLease {
    const lease = new VmLease({
      session,
      vmId,
      leave: (left) => void this.#leases.delete(left),
      left: () => this.#closeWhenIdle(),
    });
    this.#leases.add(lease);
    return lease;
  }

  async #attempt<T>(
    call: (connection: Connection) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const connection = await raceSignal(
        this.#connection.acquire(),
        signal,
        "connecting to the sidecar",
      );
      connection.keepAlive(true);
      try {
        return await call(connection);
      } catch (error) {
        if (attempt === ATTEMPTS || this.#state !== "ready" || !isSidecarEnding(error, connection))
          throw error;
        this.#connection.forget(connection);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS * attempt));
      }
    }
  }

  /** With the last user goes the connection, and an explicit sidecar's process with it. */
  async #closeWhenIdle(): Promise<void> {
    if (this.#leases.size > 0 || this.#pending.size > 0 || this.#state !== "ready") return;
    if (this.#options.lingerMs === 0) return await this.#connection.close();
    this.#connection.keepAlive(false);
    clearTimeout(this.#linger);
    this.#linger = setTimeout(() => void this.#connection.close(), this.#options.lingerMs);
    this.#linger.unref();
  }

  async #dispose(): Promise<void> {
    this.#moveTo("disposing");
    clearTimeout(this.#linger);
    const errors: unknown[] = [];
    for (const lease of Array.from(this.#leases)) {
      await lease.dispose().catch((error: unknown) => errors.push(error));
    }
    await Promise.allSettled(this.#pending);
    this.#leases.clear();
    await this.#connection.close().catch((error: unknown) => errors.push(error));
    this.#moveTo("disposed");
    this.#options.onDisposed?.(this);
    if (errors.length > 0) throw joinErrors(errors);
  }

  #moveTo(state: SidecarState): void {
    this.#state = state;
  }

  #assertReady(): void {
    if (this.#state === "ready") return;
    throw new AgentOsError(
      "SIDECAR_UNAVAILABLE",
      `Cannot lease VM from sidecar ${this.sidecarId} while it is ${this.#state}`,
      { sidecarId: this.sidecarId, state: this.#state },
    );
  }
}

function newIds(): VmIds {
  return { vmId: randomUUID(), leaseId: randomUUID() };
}

/** Whether the sidecar went away under a call, so that another one can take it. */
function isSidecarEnding(error: unknown, connection: Connection): boolean {
  if (isAgentOsError(error, "CONNECTION_LOST")) return connection.isClosed;
  if (isAgentOsError(error, "SIDECAR_UNAVAILABLE"))
    return error.details.sidecarId === connection.sidecarId;
  return isAgentOsError(error, "SIDECAR_LOST");
}
