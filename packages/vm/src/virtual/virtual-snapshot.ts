import type { GuestWorker } from "./guest-worker.ts";
import type { VirtualVm } from "./virtual-vm.ts";

/** The frozen files of a virtual VM, in its worker, until it is disposed or the worker ends. */
export class VirtualSnapshot implements AsyncDisposable {
  readonly worker: GuestWorker;
  readonly number: number;

  static async take(vm: VirtualVm, number: number): Promise<VirtualSnapshot> {
    await vm.worker.call(vm.number, { op: "snapshot", snapshot: number });
    vm.worker.snapshots += 1;
    return new VirtualSnapshot(vm.worker, number);
  }

  private constructor(worker: GuestWorker, number: number) {
    this.worker = worker;
    this.number = number;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.worker.snapshots -= 1;
    // A worker that is gone has none.
    await this.worker
      .call(0, { op: "forget-snapshot", snapshot: this.number })
      .catch(() => undefined);
  }
}
