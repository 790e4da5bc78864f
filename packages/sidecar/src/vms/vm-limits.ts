import type { Clock, LimitHit } from "@agentos/core";
import type { LimitName } from "@agentos/protocol";

import { BOUNDS } from "../bounds.ts";
import { errorFacts, type Log } from "../log.ts";
import { NEAR } from "./held-limits.ts";
import type { Vm } from "./vm.ts";

export interface VmLimitsParts {
  clock: Clock;
  log: Log;
  hit: (vm: Vm, hit: LimitHit) => void;
  /** It uses more than four fifths. */
  near: (vm: Vm, near: { limit: LimitName; value: number; used: number }) => void;
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
    const { clock, hit, near } = this.#parts;
    vm.limits.listen({
      hit: (limit, value) => hit(vm, { limit, value }),
      near: (limit, value, used) => near(vm, { limit, value, used }),
    });
    vm.output.onOver = (value) => void this.#stop(vm, { limit: "outputBytes", value });
    const stops: (() => void)[] = [this.#sample(vm)];
    if (vm.state === "running") stops.push(vm.current.onLimit((each) => this.#hit(vm, each)));
    const wallMs = vm.facts.spec.limits?.wallMs;
    if (wallMs !== undefined)
      stops.push(
        clock.after(startedMs + wallMs * NEAR - clock.now(), () =>
          vm.limits.note("wallMs", wallMs, wallMs * NEAR),
        ),
        clock.after(startedMs + wallMs - clock.now(), () => void this.#over(vm, wallMs)),
      );
    return () => stops.forEach((stop) => stop());
  }

  /** Looks at what is used now and then, while programs run. */
  #sample(vm: Vm): () => void {
    const { clock } = this.#parts;
    let cancel: (() => void) | undefined;
    const next = (): void => {
      cancel = clock.after(BOUNDS.sampleMs, () => {
        void this.#look(vm);
        next();
      });
    };
    next();
    return () => cancel?.();
  }

  async #look(vm: Vm): Promise<void> {
    const { limits, processes } = vm;
    const isStopped = processes.endsAt === "diskBytes";
    if (vm.state !== "running" || (!processes.isBusy && !isStopped)) return;
    const { current: handle } = vm;
    try {
      const use = await handle.stats();
      const { memoryBytes, pids, diskBytes } = handle.limits;
      limits.note("memoryBytes", memoryBytes.value, use.memoryBytes ?? 0);
      limits.note("pids", pids.value, use.processes);
      limits.note("diskBytes", diskBytes.value, use.diskBytes ?? 0);
      if (isStopped && (use.diskBytes ?? 0) < (diskBytes.value ?? 0)) processes.mayRun("diskBytes");
    } catch {
      // One that ends meanwhile warns of nothing.
    }
  }

  #hit(vm: Vm, hit: LimitHit): void {
    this.#parts.hit(vm, hit);
    if (hit.limit !== "diskBytes" || vm.state !== "running") return;
    // Nothing else holds it.
    if (vm.current.limits.diskBytes.enforcement === "soft") void this.#stop(vm, hit);
  }

  /** What runs ends, and what begins: until there is more of it, or less is used. */
  async #stop(vm: Vm, hit: LimitHit): Promise<void> {
    if (vm.processes.endsAt === hit.limit) return;
    vm.processes.endAt(hit).catch(() => undefined);
    try {
      if (vm.state === "running") await vm.current.killProcesses();
    } catch (error) {
      this.#parts.log.warn({ vmId: vm.id, ...errorFacts(error) }, "processes of a VM at its limit");
    }
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
