/** Small pieces that travel together. */
const BATCH_BYTES = 128 * 1024;

/** Collects bytes until they are worth a message. */
export class Batch {
  #parts: Uint8Array[] = [];
  #bytes = 0;

  get isFull(): boolean {
    return this.#bytes >= BATCH_BYTES;
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  add(...parts: Uint8Array[]): void {
    for (const part of parts) {
      this.#parts.push(part);
      this.#bytes += part.byteLength;
    }
  }

  /** All that was collected. */
  take(): Uint8Array {
    const bytes = Buffer.concat(this.#parts, this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    return bytes;
  }
}
