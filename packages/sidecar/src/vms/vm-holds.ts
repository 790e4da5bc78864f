import type { AdoptedProcess, SessionEgress, SessionVm, SessionVms, VmHandle } from "@agentos/core";
import type { AgentOsError } from "@agentos/protocol";

import { sessionEgress } from "../egress/session-egress.ts";
import type { Vm } from "./vm.ts";
import type { VmRegistry } from "./vm-registry.ts";

export interface VmHoldsOptions {
  readonly registry: VmRegistry;
  /** A hold is there: the VM's processes must run. */
  readonly held: (vm: Vm) => void;
  /** The last hold is gone. */
  readonly unheld: (vm: Vm) => void;
}

/** What holds VMs beside leases: running turns. */
export class VmHolds implements SessionVms {
  readonly #options: VmHoldsOptions;
  readonly #byVm = new Map<Vm, Set<HeldVm>>();

  constructor(options: VmHoldsOptions) {
    this.#options = options;
  }

  hold(user: string, vmId: string, fence: number): SessionVm {
    this.#options.registry.get(user, vmId).access(fence);
    return this.holdAgain(user, vmId, fence);
  }

  holdAgain(user: string, vmId: string, fence: number): SessionVm {
    const vm = this.#options.registry.get(user, vmId);
    const holds = this.#byVm.get(vm) ?? new Set();
    const hold: HeldVm = new HeldVm(vm, fence, () => this.#release(vm, hold));
    holds.add(hold);
    this.#byVm.set(vm, holds);
    this.#options.held(vm);
    return hold;
  }

  watch(user: string, vmId: string, fence: number): SessionVm {
    return new HeldVm(this.#options.registry.get(user, vmId), fence, () => undefined);
  }

  isHeld(vm: Vm): boolean {
    return this.#byVm.has(vm);
  }

  /** Another holder has taken the VM over. */
  fenced(vm: Vm): void {
    for (const hold of this.#byVm.get(vm) ?? []) hold.checkFence();
  }

  #release(vm: Vm, hold: HeldVm): void {
    const holds = this.#byVm.get(vm);
    if (holds?.delete(hold) !== true || holds.size > 0) return;
    this.#byVm.delete(vm);
    this.#options.unheld(vm);
  }
}

/** One VM as a session sees it. */
class HeldVm implements SessionVm {
  readonly vmId: string;
  readonly fenced: Promise<AgentOsError<"FENCED">>;
  readonly #vm: Vm;
  readonly #fence: number;
  readonly #release: () => void;
  readonly #fenced = Promise.withResolvers<AgentOsError<"FENCED">>();

  constructor(vm: Vm, fence: number, release: () => void) {
    this.vmId = vm.id;
    this.#vm = vm;
    this.#fence = fence;
    this.#release = release;
    this.fenced = this.#fenced.promise;
  }

  get running(): Promise<void> {
    return this.#vm.running;
  }

  claim(processId: string): AdoptedProcess | undefined {
    return this.#vm.processes.claim(processId);
  }

  get ended(): Promise<string> {
    return this.#vm.ended.then(({ reason, detail }) => detail ?? reason);
  }

  get driver(): string {
    return this.#vm.driver;
  }

  get environment(): Readonly<Record<string, string>> {
    return this.#vm.environment;
  }

  get hostMounts(): readonly { target: string; readOnly: boolean }[] {
    return (this.#vm.facts.spec.mounts ?? []).flatMap((mount) =>
      mount.kind === "host" ? [{ target: mount.target, readOnly: mount.readOnly ?? true }] : [],
    );
  }

  handle(): VmHandle {
    return this.#vm.access(this.#fence);
  }

  egress(): SessionEgress {
    return sessionEgress(this.#vm.egress, this.handle());
  }

  checkFence(): void {
    if (this.#fence === this.#vm.fence) return;
    this.#fenced.resolve(this.#vm.fencedError(this.#fence));
  }

  release(): void {
    this.#release();
  }
}
