import type { AdoptedProcess, SessionEgress, SessionVm, SessionVms, VmHandle } from "@agentos/core";
import type { AgentOsError } from "@agentos/protocol";

export interface VmAccessOptions {
  readonly vms: SessionVms;
  readonly user: string;
  readonly vmId: string;
  readonly fence: number;
}

/** A session's way to its VM for as long as it is open: by the running turn's hold, or else by its last fence. */
export class VmAccess implements SessionVm {
  readonly vmId: string;
  readonly ended: Promise<string>;
  readonly #options: VmAccessOptions;
  #watch: SessionVm;
  #fence: number;
  readonly #holds: SessionVm[] = [];

  /** Throws `NOT_FOUND` or `VM_ENDED`. */
  constructor(options: VmAccessOptions) {
    const { vms, user, vmId, fence } = options;
    this.vmId = vmId;
    this.#options = options;
    this.#fence = fence;
    this.#watch = vms.watch(user, vmId, fence);
    this.ended = this.#watch.ended;
  }

  get driver(): string {
    return this.#now.driver;
  }

  get environment(): Readonly<Record<string, string>> {
    return this.#now.environment;
  }

  get hostMounts(): SessionVm["hostMounts"] {
    return this.#now.hostMounts;
  }

  get running(): Promise<void> {
    return this.#now.running;
  }

  get fenced(): Promise<AgentOsError<"FENCED">> {
    return this.#now.fenced;
  }

  /** The fence that the session was used with last. */
  get fence(): number {
    return this.#fence;
  }

  handle(): VmHandle {
    return this.#now.handle();
  }

  egress(): SessionEgress {
    return this.#now.egress();
  }

  claim(processId: string): AdoptedProcess | undefined {
    return this.#now.claim(processId);
  }

  /** Its holder came with this fence. */
  see(fence: number): void {
    if (fence === this.#fence) return;
    const { vms, user, vmId } = this.#options;
    this.#watch.release();
    this.#watch = vms.watch(user, vmId, fence);
    this.#fence = fence;
  }

  /** Keeps the VM until the result is called. Throws `FENCED`, `NOT_FOUND` or `VM_ENDED`. */
  hold(fence: number, fenced: (error: AgentOsError) => void): () => void {
    const { vms, user, vmId } = this.#options;
    return this.#keep(vms.hold(user, vmId, fence), fenced);
  }

  /** The same for a turn of an earlier life, whose VM may not run yet. */
  holdAgain(fence: number, fenced: (error: AgentOsError) => void): () => void {
    const { vms, user, vmId } = this.#options;
    return this.#keep(vms.holdAgain(user, vmId, fence), fenced);
  }

  release(): void {
    this.#watch.release();
  }

  get #now(): SessionVm {
    return this.#holds.at(-1) ?? this.#watch;
  }

  #keep(hold: SessionVm, fenced: (error: AgentOsError) => void): () => void {
    this.#holds.push(hold);
    let isHeld = true;
    void hold.fenced.then((error) => isHeld && fenced(error));
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#holds.splice(this.#holds.indexOf(hold), 1);
      hold.release();
    };
  }
}
