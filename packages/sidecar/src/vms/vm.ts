import type { Clock, VmHandle, VmRecord } from "@agentos/core";
import {
  AgentOsError,
  isAgentOsError,
  type LimitChanges,
  type VmEndReason,
  type VmInfo,
  type VmSpec,
} from "@agentos/protocol";

import { VmEgress } from "../egress/vm-egress.ts";
import { HeldLimits } from "./held-limits.ts";
import { OutputMeter } from "./output-meter.ts";
import { AttachmentTable } from "./attachment-table.ts";
import { ProcessTable } from "./process-table.ts";

export type VmState = "starting" | "running" | "ending" | "ended";

const NEXT: Readonly<Record<VmState, readonly VmState[]>> = {
  starting: ["running", "ended"],
  running: ["ending", "ended"],
  ending: ["ended"],
  ended: [],
};

export interface VmEnd {
  reason: VmEndReason;
  detail?: string | undefined;
}

export interface VmFacts {
  /** Unique across users: the driver's id. */
  key: string;
  user: string;
  spec: VmSpec;
  image: string;
  sidecarId: string;
  epoch: number;
  createdAt: string;
  /** Where the image is; undefined for the host's. */
  imageRecord?: VmRecord | undefined;
  /** The snapshot that it begins with. */
  from?: { snapshotId: string; driver: string; image: string; record: VmRecord } | undefined;
  /** What an earlier life gave it. Undefined: it is made in this one. */
  restored?: { fence: number } | undefined;
}

/** One hosted VM: its life, its handle, its fence. Nothing reaches the handle but through `access`. */
export class Vm {
  readonly facts: VmFacts;
  readonly processes: ProcessTable;
  readonly attachments = new AttachmentTable();
  readonly limits: HeldLimits;
  readonly output: OutputMeter;
  readonly egress: VmEgress;
  /** Resolves with why, once nothing of the VM is left. Never rejects. */
  readonly ended: Promise<VmEnd>;
  readonly #ready = Promise.withResolvers<void>();
  readonly #end = Promise.withResolvers<VmEnd>();
  readonly #starting = new AbortController();
  #state: VmState = "starting";
  #fence: number;
  #handle: VmHandle | undefined;
  #driver = "";
  #waiters = 0;
  /** Of its limits, since it was made. */
  #changes: LimitChanges = {};
  #ending: VmEnd | undefined;

  constructor(facts: VmFacts, clock: Clock) {
    this.facts = facts;
    this.processes = new ProcessTable(clock);
    this.limits = new HeldLimits(facts.spec.limits);
    this.output = new OutputMeter(this.limits);
    this.egress = new VmEgress({ limits: this.limits });
    this.#fence = facts.restored?.fence ?? 1;
    this.ended = this.#end.promise;
    // Without a waiter, a failed start has nobody to go to.
    this.#ready.promise.catch(() => undefined);
  }

  /** Its specification with these limits, and those that were changed before. */
  withLimits(changes: LimitChanges): VmSpec {
    this.#changes = { ...this.#changes, ...changes };
    const { spec } = this.facts;
    return { ...spec, limits: { ...spec.limits, ...this.#changes } };
  }

  /** Those that the sidecar holds, from now on. A process that was to end at one may run where there is more now. */
  setLimits(changes: LimitChanges): void {
    this.limits.change(changes);
    if (!this.output.isOver) this.processes.mayRun("outputBytes");
    // The next look says whether that is enough.
    if (changes.diskBytes !== undefined) this.processes.mayRun("diskBytes");
  }

  get id(): string {
    return this.facts.spec.vmId;
  }

  get name(): string | undefined {
    return this.facts.spec.name;
  }

  get state(): VmState {
    return this.#state;
  }

  get fence(): number {
    return this.#fence;
  }

  /** What isolates it; empty until it runs. */
  get driver(): string {
    return this.#driver;
  }

  /** Aborted when the creation is given up. */
  get startSignal(): AbortSignal {
    return this.#starting.signal;
  }

  /** Resolves when it runs. Rejects where it never does. */
  get running(): Promise<void> {
    return this.#ready.promise;
  }

  /** Whether someone still waits for the start. */
  get isWanted(): boolean {
    return this.#waiters > 0;
  }

  /** Resolves when it runs. The last waiter that cancels gives the start up; one whose connection is lost does not. */
  async ready(signal: AbortSignal): Promise<void> {
    this.#waiters += 1;
    const { promise: cancelled, reject } = Promise.withResolvers<never>();
    const cancel = (): void => {
      if (!isAgentOsError(signal.reason, "CANCELLED")) return;
      reject(signal.reason);
      this.#waiters -= 1;
      // One of an earlier life is there, whoever waits for it.
      const isMade = this.facts.restored !== undefined;
      if (this.#waiters === 0 && !isMade) this.abortStart(signal.reason);
    };
    if (signal.aborted) cancel();
    else signal.addEventListener("abort", cancel, { once: true });
    try {
      await Promise.race([this.#ready.promise, cancelled]);
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  }

  abortStart(reason: AgentOsError): void {
    if (this.#state !== "starting") return;
    this.#starting.abort(reason);
    this.failed(reason);
  }

  /** The driver has made it. */
  run(handle: VmHandle, driver: string): void {
    this.#become("running");
    this.#handle = handle;
    this.#driver = driver;
    this.#ready.resolve();
    void this.#watch(handle);
  }

  /** The driver could not make it, or it was given up. */
  failed(reason: unknown): void {
    if (this.#state !== "starting") return;
    this.#become("ended");
    this.#ready.reject(reason);
    this.#end.resolve({ reason: "died" });
  }

  /** What every process starts with. */
  get environment(): Record<string, string> {
    return { ...this.#running().environment, ...this.egress.environment, ...this.facts.spec.env };
  }

  /** Why it ends, once it does. */
  get ending(): VmEnd | undefined {
    return this.#ending;
  }

  /** The handle, for the sidecar's own doings. Throws `VM_ENDED`. */
  get current(): VmHandle {
    return this.#running();
  }

  /** The handle, for one effect right now. Throws `VM_ENDED` or `FENCED`. */
  access(fence: number): VmHandle {
    const handle = this.#running();
    if (fence === this.#fence) return handle;
    throw this.fencedError(fence);
  }

  /** What a holder with that fence is told. */
  fencedError(fence: number): AgentOsError<"FENCED"> {
    const message = `fence ${fence} is not VM ${this.id}'s current one, ${this.#fence}: another holder took it over`;
    const details = { vmId: this.id, fence, currentFence: this.#fence };
    return new AgentOsError("FENCED", message, details);
  }

  /** Makes every lease with a lower fence worthless. */
  raiseFence(fence: number): void {
    this.#fence = Math.max(this.#fence, fence);
  }

  /** Ends it and resolves once nothing is left. The first reason stays. */
  async end(end: VmEnd): Promise<void> {
    if (this.#state === "starting") {
      this.abortStart(vmEnded(this.id, end));
    } else if (this.#state === "running" && this.#handle !== undefined) {
      this.#ending = end;
      this.#become("ending");
      await this.#handle[Symbol.asyncDispose]();
    }
    await this.ended;
  }

  /** `from`: the snapshot that it began with. */
  info(leases: number, from: string | undefined): VmInfo {
    const { spec, image, sidecarId, epoch } = this.facts;
    const handle = this.#running();
    const wallMs = spec.limits?.wallMs;
    return {
      vmId: spec.vmId,
      ...(spec.name === undefined ? {} : { name: spec.name }),
      driver: this.#driver,
      isolation: handle.isolation,
      ...(handle.walls === undefined ? {} : { walls: [...handle.walls] }),
      image,
      ...(from === undefined ? {} : { from }),
      mounts: (spec.mounts ?? []).map(({ target }) => target),
      limits: {
        ...handle.limits,
        ...this.limits.states,
        wallMs:
          wallMs === undefined
            ? { value: null, enforcement: "none" }
            : { value: wallMs, enforcement: "hard" },
      },
      network: this.egress.policy,
      security: { profile: spec.security?.profile ?? "standard" },
      sidecarId,
      sidecarPid: process.pid,
      epoch,
      fence: this.#fence,
      leases,
      createdAt: this.facts.createdAt,
    };
  }

  async #watch(handle: VmHandle): Promise<void> {
    const { detail } = await handle.ended;
    this.#become("ended");
    this.processes.forget();
    this.egress.close();
    this.#ending ??= { reason: "died", detail };
    this.#end.resolve(this.#ending);
  }

  #running(): VmHandle {
    if (this.#state === "running" && this.#handle !== undefined) return this.#handle;
    if (this.#state === "starting") {
      throw new AgentOsError("NOT_FOUND", `VM ${this.id} is not running yet`, {
        kind: "vm",
        id: this.id,
      });
    }
    throw vmEnded(this.id, this.#ending);
  }

  #become(next: VmState): void {
    if (!NEXT[this.#state].includes(next)) {
      throw new AgentOsError("INTERNAL", `VM ${this.id}: ${this.#state} cannot become ${next}`, {});
    }
    this.#state = next;
  }
}

/** The answer to whoever asks for a VM that is gone. */
export function vmEnded(vmId: string, end: VmEnd | undefined): AgentOsError<"VM_ENDED"> {
  const reason = end?.reason ?? "died";
  const detail = end?.detail === undefined ? "" : `: ${end.detail}`;
  return new AgentOsError("VM_ENDED", `VM ${vmId} has ended (${reason})${detail}`, {
    vmId,
    reason,
  });
}
