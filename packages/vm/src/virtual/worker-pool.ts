import { availableParallelism } from "node:os";

import { GuestWorker } from "./guest-worker.ts";

/** More threads than processors help nobody, and fewer than two leave no neighbour elsewhere. */
const MOST_WORKERS = Math.max(2, Math.min(8, availableParallelism()));
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

  /** The worker with the fewest VMs. Another one is started beside it, so that the next VM has the choice. */
  async take(): Promise<GuestWorker> {
    const worker = this.#leastUsed() ?? (await this.#start());
    const isUsed = worker.vms.size > 0;
    // A failure shows when one is needed and none is there.
    if (isUsed || this.#workers.size === 1) void this.#startSpare();
    return worker;
  }

  /** A VM of the worker has ended. */
  given(worker: GuestWorker): void {
    if (worker.vms.size > 0 || this.#state === "ended") return;
    const timer = setTimeout(() => {
      const isLast = this.#workers.size === 1;
      if (worker.vms.size === 0 && !isLast) worker.terminate("nobody used it");
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

  async #startSpare(): Promise<void> {
    const hasFree = [...this.#workers].some(({ vms }) => vms.size === 0);
    const mayStart = this.#state === "open" && this.#starting === undefined;
    if (!mayStart || this.#workers.size >= MOST_WORKERS || (hasFree && this.#workers.size > 1))
      return;
    await this.#start().catch(() => undefined);
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
