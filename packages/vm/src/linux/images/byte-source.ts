/** The pieces of a stream, in the sizes that a parser asks for. */
export class ByteSource {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#pieces = stream[Symbol.asyncIterator]();
  }

  /** From 1 to `most` bytes. Throws at the end of the stream. */
  async some(most: number): Promise<Buffer> {
    if (this.#rest.byteLength === 0 && !(await this.#more())) throw new Error("it is cut");
    const piece = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(piece.byteLength);
    return piece;
  }

  /** So many bytes, or what there is until the end. */
  async upTo(count: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let left = count;
    // oxlint-disable-next-line no-await-in-loop -- One piece after the other.
    while (left > 0 && (this.#rest.byteLength > 0 || (await this.#more()))) {
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.byteLength);
      left -= piece.byteLength;
      parts.push(piece);
    }
    return Buffer.concat(parts);
  }

  /** Throws where there are fewer. */
  async exactly(count: number): Promise<Buffer> {
    const bytes = await this.upTo(count);
    if (bytes.byteLength < count) throw new Error("it is cut");
    return bytes;
  }

  async #more(): Promise<boolean> {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- Until one has bytes.
      const { done, value } = await this.#pieces.next();
      if (done === true) return false;
      this.#rest = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      if (this.#rest.byteLength > 0) return true;
    }
  }
}
