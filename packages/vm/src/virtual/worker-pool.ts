import { availableParallelism } from "node:os";

import { GuestWorker } from "./guest-worker.ts";

/** Fewer leave no neighbour elsewhere: the second VM waits for the second worker. */
const LEAST_WORKERS = 2;
/** More threads than processors help nobody. */
const MOST_WORKERS = Math.max(LEAST_WORKERS, Math.min(8, availableParallelism()));
/** A worker without VMs ends after this, but for the last one. */
const IDLE_MS = 10_000;

/** The worker threads, and which of them a VM goes to. */
export class WorkerPool {
  readonly #shell: string;
  readonly #workers = new Set<GuestWorker>();
  #starting: Promise<GuestWorker> | undefined;
  #state: "open" | "ended" = "open";

  constructor(shell: string) {
    this.#shell = shell;
  }

  /** A VM's place in the worker with the fewest. Where each has one, another worker is started beside them. */
  async take(): Promise<{ worker: GuestWorker; vm: number }> {
    for (;;) {
      const worker = this.#leastUsed();
      const isSettled = worker?.vms.size === 0 || this.#workers.size >= LEAST_WORKERS;
      if (worker !== undefined && isSettled) {
        const vm = worker.claim();
        // Where it fails, the next VM that needs one says why.
        if (this.#isMissingOne()) void this.#start().catch(() => undefined);
        return { worker, vm };
      }
      // Someone else may have taken its place meanwhile: then there is another one to wait for.
      // oxlint-disable-next-line no-await-in-loop
      await this.#start();
    }
  }

  /** A VM of the worker has ended. */
  given(worker: GuestWorker): void {
    const isUsed = (): boolean => worker.vms.size > 0 || worker.snapshots > 0;
    if (isUsed() || this.#state === "ended") return;
    const timer = setTimeout(() => {
      const isLast = this.#workers.size === 1;
      if (!isUsed() && !isLast) worker.terminate("nobody used it");
    }, IDLE_MS);
    timer.unref();
  }

  async end(): Promise<void> {
    this.#state = "ended";
    // One that could not start is gone already.
    await this.#starting?.catch(() => undefined);
    const workers = [...this.#workers];
    for (const worker of workers) worker.terminate("the driver was disposed");
    await Promise.all(workers.map(({ ended }) => ended));
  }

  #leastUsed(): GuestWorker | undefined {
    const ready = [...this.#workers].filter(({ isReady }) => isReady);
    return ready.toSorted((a, b) => a.vms.size - b.vms.size)[0];
  }

  /** Whether every worker has a VM, and there may be one more. */
  #isMissingOne(): boolean {
    const isUsed = [...this.#workers].every(({ vms }) => vms.size > 0);
    return isUsed && this.#workers.size < MOST_WORKERS && this.#state === "open";
  }

  async #start(): Promise<GuestWorker> {
    this.#starting ??= this.#begin();
    return await this.#starting;
  }

  async #begin(): Promise<GuestWorker> {
    try {
      const worker = await GuestWorker.start(this.#shell);
      this.#workers.add(worker);
      void worker.ended.then(() => this.#workers.delete(worker));
      return worker;
    } finally {
      this.#starting = undefined;
    }
  }
}
