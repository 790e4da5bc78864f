import type { Clock } from "@agentos/core";
import { DEFAULTS } from "@agentos/protocol";

import { errorFacts, type Log } from "../log.ts";
import type { Vm } from "./vm.ts";

export interface ParkingOptions {
  clock: Clock;
  log: Log;
  store: { setProcessesEnd(key: string, endMs: number | undefined): void };
}

interface Place {
  cancel: () => void;
  /** Resolves once the last freeze or thaw has been done; each waits for the one before. */
  settled: Promise<void>;
}

/** Named VMs that nobody holds: frozen, and after `DEFAULTS.frozenProcessesMs` without processes. */
export class Parking {
  readonly #options: ParkingOptions;
  readonly #places = new Map<Vm, Place>();

  constructor(options: ParkingOptions) {
    this.#options = options;
  }

  /** `endMs`: when its processes end, where an earlier life has decided that. */
  park(vm: Vm, endMs?: number): void {
    const { clock, store } = this.#options;
    const place = this.#placeOf(vm);
    place.cancel();
    const dueMs = endMs ?? clock.now() + DEFAULTS.frozenProcessesMs;
    place.cancel = clock.after(dueMs - clock.now(), () => void this.#endProcesses(vm));
    this.#attempt(vm, "noting when a VM's processes end", () =>
      store.setProcessesEnd(vm.facts.key, dueMs),
    );
    const frozen = place.settled.then(() => vm.current.freeze(true));
    place.settled = frozen.catch((error: unknown) => this.#failed(vm, "freezing a VM", error));
  }

  /** Resolves once its processes go on. Rejects where they can't be thawed. */
  async leave(vm: Vm): Promise<void> {
    const place = this.#places.get(vm);
    if (place === undefined) return;
    place.cancel();
    const thawed = place.settled.then(() => vm.current.freeze(false));
    place.settled = thawed.catch((error: unknown) => this.#failed(vm, "thawing a VM", error));
    this.#attempt(vm, "noting that a VM is held", () =>
      this.#options.store.setProcessesEnd(vm.facts.key, undefined),
    );
    await thawed;
  }

  /** The VM is gone. */
  forget(vm: Vm): void {
    this.#places.get(vm)?.cancel();
    this.#places.delete(vm);
  }

  #placeOf(vm: Vm): Place {
    const known = this.#places.get(vm);
    if (known !== undefined) return known;
    const place: Place = { cancel: () => undefined, settled: vm.running };
    this.#places.set(vm, place);
    return place;
  }

  async #endProcesses(vm: Vm): Promise<void> {
    try {
      await this.#places.get(vm)?.settled;
      vm.processes.killAll();
      await vm.current.killProcesses();
    } catch (error) {
      this.#failed(vm, "ending a frozen VM's processes", error);
    }
  }

  #attempt(vm: Vm, what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failed(vm, what, error);
    }
  }

  #failed(vm: Vm, what: string, error: unknown): void {
    // A VM that ends meanwhile needs none of this.
    if (vm.state !== "running") return;
    this.#options.log.error({ vmId: vm.id, ...errorFacts(error) }, `${what} failed`);
  }
}
