import type { ServerResponse } from "node:http";

/** Writes a body in the pieces asked for, each when the one before it has left. */
export class BodyWriter {
  readonly #response: ServerResponse;
  #pieceBytes = Infinity;
  readonly #closed: AbortSignal;
  readonly #sent: (bytes: number) => void;
  #bytes = 0;

  constructor(
    response: ServerResponse,
    options: { closed: AbortSignal; sent: (bytes: number) => void },
  ) {
    this.#response = response;
    this.#closed = options.closed;
    this.#sent = options.sent;
  }

  /** Writes at most so many bytes at once, from now on. */
  inPieces(bytes = Infinity): this {
    this.#pieceBytes = bytes;
    return this;
  }

  /** Resolves when all of it has left, or when the client has closed. */
  async write(text: string): Promise<void> {
    const all = Buffer.from(text);
    for (let at = 0; at < all.length && !this.#closed.aborted; at += this.#pieceBytes) {
      await this.#writePiece(all.subarray(at, at + this.#pieceBytes));
    }
  }

  async #writePiece(piece: Buffer): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#closed.removeEventListener("abort", done);
        resolve();
      };
      this.#closed.addEventListener("abort", done, { once: true });
      this.#response.write(piece, done);
    });
    this.#bytes += piece.length;
    this.#sent(this.#bytes);
  }
}
