import type { Acknowledger } from "../process/acknowledger.ts";
import type { ByteSink } from "../process/byte-sink.ts";
import { inOrder } from "../process/in-order.ts";

/** Collects a whole file, or a directory's entries. */
export class ByteCollector implements ByteSink {
  readonly #acknowledger: Acknowledger;
  readonly #onSettled: () => void;
  readonly #canGoOn: boolean;
  #chunks: Uint8Array[] = [];
  readonly #whole = Promise.withResolvers<Buffer>();
  #received = 0;

  /** `canGoOn`: another sender can begin in the middle; else it begins again. */
  constructor(acknowledger: Acknowledger, onSettled: () => void, canGoOn: boolean) {
    this.#acknowledger = acknowledger;
    this.#onSettled = onSettled;
    this.#canGoOn = canGoOn;
  }

  /** Every byte, once the end has come. */
  get whole(): Promise<Buffer> {
    return this.#whole.promise;
  }

  accept(offset: number, payload: Uint8Array): void {
    const bytes = inOrder(this.#received, offset, payload);
    this.#chunks.push(bytes);
    this.#received += bytes.byteLength;
    this.#acknowledger.consumed(this.#received);
  }

  resume(): number {
    if (!this.#canGoOn) {
      this.#chunks = [];
      this.#received = 0;
    }
    this.#acknowledger.resumed(this.#received);
    return this.#received;
  }

  end(total: number): void {
    // The end comes after the last byte: less than it says is a gap.
    inOrder(this.#received, total, new Uint8Array());
    this.#onSettled();
    this.#whole.resolve(Buffer.concat(this.#chunks, this.#received));
  }

  fail(reason: unknown): void {
    this.#whole.reject(reason);
  }
}
