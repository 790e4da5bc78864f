import { InvalidArgumentError } from "commander";

const CONTROL_MASK = 0x1f;

/** The bytes of keys such as `ctrl-p,ctrl-q`; none for an empty text. */
export function parseDetachKeys(text: string): Uint8Array {
  const keys = text === "" ? [] : text.split(",");
  return Uint8Array.from(keys.map(byteOf));
}

function byteOf(key: string): number {
  const control = /^ctrl-([a-z@[\\\]^_])$/i.exec(key)?.[1];
  if (control !== undefined) return control.toUpperCase().charCodeAt(0) & CONTROL_MASK;
  if (/^[\u0021-\u007e]$/.test(key)) return key.charCodeAt(0);
  throw new InvalidArgumentError(
    "Expected keys such as ctrl-p,ctrl-q: ctrl- and a letter or one of @[\\]^_, or one character.",
  );
}

/** Finds the keys in what is typed, also over several pieces. */
export class DetachKeys {
  readonly #keys: Uint8Array;
  #matched = 0;

  constructor(keys: Uint8Array) {
    this.#keys = keys;
  }

  /** What of the piece goes to the guest, and whether the keys were typed. A beginning of them is kept until the next key. */
  feed(bytes: Uint8Array): { typed: Uint8Array; isDetached: boolean } {
    const typed: number[] = [];
    if (this.#keys.length === 0) return { typed: bytes, isDetached: false };
    for (const byte of bytes) {
      if (byte !== this.#keys[this.#matched]) {
        typed.push(...this.#keys.subarray(0, this.#matched));
        this.#matched = 0;
      }
      if (byte !== this.#keys[this.#matched]) typed.push(byte);
      else if (++this.#matched === this.#keys.length) {
        this.#matched = 0;
        return { typed: Uint8Array.from(typed), isDetached: true };
      }
    }
    return { typed: Uint8Array.from(typed), isDetached: false };
  }
}
