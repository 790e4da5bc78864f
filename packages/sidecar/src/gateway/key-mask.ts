const STAR = 0x2a;
/** A shorter one is no secret, and would be found in every other word. */
const SHORTEST_KEY = 8;

/** Puts stars in the place of a key in what passes, byte for byte: a provider may say it back. */
export class KeyMask {
  readonly #key: Buffer;
  #held: Buffer = Buffer.alloc(0);

  constructor(key: string | undefined) {
    this.#key = Buffer.from(key !== undefined && key.length >= SHORTEST_KEY ? key : "");
  }

  text(text: string): string {
    return this.#key.byteLength === 0
      ? text
      : text.replaceAll(this.#key.toString(), "*".repeat(this.#key.byteLength));
  }

  /** What of the bytes so far can be shown: their end is held back while it could be the key's beginning. */
  push(chunk: Buffer): Buffer {
    if (this.#key.byteLength === 0) return chunk;
    const bytes = this.#held.byteLength === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const shown = this.#masked(bytes);
    const held = this.#beginnings(shown);
    this.#held = shown.subarray(shown.byteLength - held);
    return shown.subarray(0, shown.byteLength - held);
  }

  /** The rest. */
  end(): Buffer {
    const rest = this.#held;
    this.#held = Buffer.alloc(0);
    return rest;
  }

  #masked(bytes: Buffer): Buffer {
    let at = bytes.indexOf(this.#key);
    if (at === -1) return bytes;
    const masked = Buffer.from(bytes);
    for (; at !== -1; at = masked.indexOf(this.#key, at + this.#key.byteLength)) {
      masked.fill(STAR, at, at + this.#key.byteLength);
    }
    return masked;
  }

  /** How many bytes at the end are the first ones of the key. */
  #beginnings(bytes: Buffer): number {
    const most = Math.min(this.#key.byteLength - 1, bytes.byteLength);
    for (let length = most; length > 0; length -= 1) {
      const end = bytes.byteLength;
      if (bytes.compare(this.#key, 0, length, end - length, end) === 0) return length;
    }
    return 0;
  }
}
