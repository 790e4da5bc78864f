import type { Acknowledger } from "../process/acknowledger.ts";
import type { ByteSink } from "../process/byte-sink.ts";
import { inOrder } from "../process/in-order.ts";

/** Collects a whole file. */
export class ByteCollector implements ByteSink {
  readonly #acknowledger: Acknowledger;
  readonly #onSettled: () => void;
  readonly #chunks: Uint8Array[] = [];
  readonly #whole = Promise.withResolvers<Buffer>();
  #received = 0;

  constructor(acknowledger: Acknowledger, onSettled: () => void) {
    this.#acknowledger = acknowledger;
    this.#onSettled = onSettled;
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
