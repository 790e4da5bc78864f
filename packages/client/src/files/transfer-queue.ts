import PQueue from "p-queue";

/** Files under way at once. */
const CONCURRENT_FILES = 16;
/** Files that wait: past it the walk of the tree waits too. */
const WAITING_FILES = 64;

/** Runs the files of one transfer side by side. The first failure, or the signal, stops it. */
export class TransferQueue {
  readonly #queue = new PQueue({ concurrency: CONCURRENT_FILES });
  readonly #signal: AbortSignal | undefined;
  #failure: { error: unknown } | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** Takes one more file, once there is room. Rejects with the first failure. */
  async add(task: () => Promise<void>): Promise<void> {
    this.assertGoing();
    await this.#queue.onSizeLessThan(WAITING_FILES);
    this.#queue.add(task).catch((error: unknown) => {
      this.#failure ??= { error };
      this.#queue.clear();
    });
  }

  /** Throws the first failure, or the signal's reason. */
  assertGoing(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#signal?.throwIfAborted();
  }

  /** Waits for all of them. */
  async finish(): Promise<void> {
    await this.#queue.onIdle();
    this.assertGoing();
  }

  /** Waits for those under way, after a failure elsewhere. */
  async abandon(): Promise<void> {
    this.#queue.clear();
    await this.#queue.onIdle();
  }
}
