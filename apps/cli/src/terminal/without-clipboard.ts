const ESC = 0x1b;
const BEL = 0x07;
const BACKSLASH = 0x5c;
/** What ends a control sequence before its end. */
const ABORTS = [0x18, 0x1a];
/** What comes before the data for the clipboard. */
const BEGINNING = Buffer.from("\u001b]52;");

/** A guest's output without what would read or write the person's clipboard: the rest passes as it is. */
export class WithoutClipboard {
  /** Bytes of the beginning that are kept until it is one, or none. */
  #matched = 0;
  #state: "passing" | "dropping" | "dropping-escape" = "passing";

  /** Output, in pieces as they come. */
  feed(bytes: Uint8Array): Uint8Array {
    if (this.#state === "passing" && this.#matched === 0 && !bytes.includes(ESC)) return bytes;
    const passed: number[] = [];
    for (const byte of bytes) {
      if (this.#state === "passing") this.#pass(byte, passed);
      else if (this.#drop(byte)) this.#pass(byte, passed);
    }
    return Uint8Array.from(passed);
  }

  #pass(byte: number, passed: number[]): void {
    if (byte !== BEGINNING[this.#matched]) {
      for (const kept of BEGINNING.subarray(0, this.#matched)) passed.push(kept);
      this.#matched = 0;
    }
    if (byte !== BEGINNING[this.#matched]) {
      passed.push(byte);
    } else if (++this.#matched === BEGINNING.length) {
      this.#matched = 0;
      this.#state = "dropping";
    }
  }

  /** Whether the byte is none of what is dropped. */
  #drop(byte: number): boolean {
    if (this.#state === "dropping-escape") {
      this.#state = "passing";
      if (byte === BACKSLASH) return false;
      // An escape other than the end begins something else.
      this.#matched = 1;
      return true;
    }
    if (byte === ESC) this.#state = "dropping-escape";
    else if (byte === BEL || ABORTS.includes(byte)) this.#state = "passing";
    return false;
  }
}
