import type { Clock, LimitHit } from "@agentos/core";

import { BOUNDS } from "../bounds.ts";
import { errorFacts, type Log } from "../log.ts";
import type { Vm } from "./vm.ts";

export interface VmLimitsParts {
  clock: Clock;
  log: Log;
  hit: (vm: Vm, hit: LimitHit) => void;
  /** Its time is over, and its processes have ended. */
  timeOver: (vm: Vm, wallMs: number) => void;
}

/** Watches the limits of running VMs, and holds the one on time itself: the drivers know nothing of it. */
export class VmLimits {
  readonly #parts: VmLimitsParts;

  constructor(parts: VmLimitsParts) {
    this.#parts = parts;
  }

  /** Begins for a VM that runs since `startedMs`. The result ends it. */
  watch(vm: Vm, startedMs: number): () => void {
    const { clock, hit } = this.#parts;
    const stops: (() => void)[] = [];
    if (vm.state === "running") stops.push(vm.current.onLimit((each) => hit(vm, each)));
    const wallMs = vm.facts.spec.limits?.wallMs;
    if (wallMs !== undefined)
      stops.push(clock.after(startedMs + wallMs - clock.now(), () => void this.#over(vm, wallMs)));
    return () => stops.forEach((stop) => stop());
  }

  /** No program goes on, and those who wait for one hear why it ended before the VM is gone. */
  async #over(vm: Vm, value: number): Promise<void> {
    const { clock, log, hit, timeOver } = this.#parts;
    const limit: LimitHit = { limit: "wallMs", value };
    hit(vm, limit);
    const late = Promise.withResolvers<void>();
    const cancel = clock.after(BOUNDS.lastOutputMs, late.resolve);
    try {
      const told = vm.processes.endAt(limit);
      if (vm.state === "running") await vm.current.killProcesses();
      await Promise.race([told, vm.ended, late.promise]);
    } catch (error) {
      // Its end, which follows, ends every process in any case.
      log.warn({ vmId: vm.id, ...errorFacts(error) }, "processes of a VM whose time is over");
    } finally {
      cancel();
      timeOver(vm, value);
    }
  }
}
