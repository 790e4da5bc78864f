const REDACTED = "[redacted]";

/** A shorter one is no secret, and would be found in every other word. */
const SHORTEST_KEY = 8;

/** Takes a session's key out of everything that is told. */
export class KeyRedactor {
  readonly #key: string;

  constructor(key: string | undefined) {
    this.#key = key !== undefined && key.length >= SHORTEST_KEY ? key : "";
  }

  text(text: string): string {
    return this.#key === "" ? text : text.replaceAll(this.#key, REDACTED);
  }

  /** For text that comes in pieces: a key may lie across two of them. */
  stream(): RedactedStream {
    return new RedactedStream(this.#key);
  }
}

/** Holds back the end of what came while it could be the key's beginning. */
export class RedactedStream {
  readonly #key: string;
  #held = "";

  constructor(key: string) {
    this.#key = key;
  }

  /** What of the text so far can be told. */
  push(piece: string): string {
    if (this.#key === "") return piece;
    const text = (this.#held + piece).replaceAll(this.#key, REDACTED);
    const held = heldBack(text, this.#key);
    this.#held = text.slice(text.length - held);
    return text.slice(0, text.length - held);
  }

  /** The rest. */
  end(): string {
    const rest = this.#held;
    this.#held = "";
    return rest;
  }
}

/** How many characters at the end are the first ones of the key. */
function heldBack(text: string, key: string): number {
  for (let length = Math.min(key.length - 1, text.length); length > 0; length -= 1) {
    if (text.endsWith(key.slice(0, length))) return length;
  }
  return 0;
}
