/** Bytes of one line that are kept. A longer one is cut, and the agent goes on. */
const LONGEST_LINE_BYTES = 16 * 1024 * 1024;

/** What of a cut line is told. */
const HEAD_BYTES = 4 * 1024;

const LF = 0x0a;

/** One line, without its end. */
export type Line =
  | { readonly kind: "whole"; readonly text: string }
  /** Of a line of `bytes` bytes only its beginning is there. */
  | { readonly kind: "cut"; readonly head: string; readonly bytes: number };

/**
 * Splits bytes into lines at LF, and at nothing else: U+2028 is legal inside a JSON string. A character
 * whose bytes come in two pieces is whole.
 */
export class LineSplitter {
  readonly #take: (line: Line, end: number) => void;
  readonly #longest: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #at: number;

  /** `take` is told where in the stream the line ends. `from`: bytes that an earlier reader had. */
  constructor(
    take: (line: Line, end: number) => void,
    { longest = LONGEST_LINE_BYTES, from = 0 }: { longest?: number; from?: number } = {},
  ) {
    this.#take = take;
    this.#longest = longest;
    this.#at = from;
  }

  /** Bytes of the whole stream that are here. */
  get at(): number {
    return this.#at;
  }

  /** Bytes of a line whose end is not here. */
  get openBytes(): number {
    return this.#bytes;
  }

  add(bytes: Uint8Array): void {
    let from = 0;
    for (;;) {
      const end = bytes.indexOf(LF, from);
      if (end < 0) return this.#keep(bytes.subarray(from));
      this.#keep(bytes.subarray(from, end));
      from = end + 1;
      this.#at += 1;
      this.#flush();
    }
  }

  /** Nothing follows: what is left is a line too. */
  end(): void {
    if (this.#bytes > 0) this.#flush();
  }

  #keep(part: Uint8Array): void {
    const room = Math.max(0, this.#longest - this.#bytes);
    this.#bytes += part.byteLength;
    this.#at += part.byteLength;
    // A copy: what was given is the link's own buffer.
    if (room > 0 && part.byteLength > 0) this.#parts.push(Uint8Array.from(part.subarray(0, room)));
  }

  #flush(): void {
    const kept = Buffer.concat(this.#parts);
    const bytes = this.#bytes;
    this.#parts = [];
    this.#bytes = 0;
    if (bytes > this.#longest) {
      this.#take({ kind: "cut", head: kept.toString("utf8", 0, HEAD_BYTES), bytes }, this.#at);
      return;
    }
    // Some programs end their lines as Windows does.
    const length = kept.at(-1) === 0x0d ? kept.byteLength - 1 : kept.byteLength;
    if (length > 0) this.#take({ kind: "whole", text: kept.toString("utf8", 0, length) }, this.#at);
  }
}
