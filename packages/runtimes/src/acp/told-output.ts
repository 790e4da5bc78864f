/** Of what was told: enough to know it again. */
const TAIL_CHARS = 32;

/** What of a call's output was told, where the agent tells all of it each time. */
export class ToldOutput {
  #chars: number;
  #tail: string;

  /** Default: nothing. */
  constructor({ chars, tail }: { chars: number; tail: string } = { chars: 0, tail: "" }) {
    this.#chars = chars;
    this.#tail = tail;
  }

  get memo(): { chars: number; tail: string } {
    return { chars: this.#chars, tail: this.#tail };
  }

  /** What of the text is new; empty where it does not go on from what was told. */
  take(text: string): string {
    if (text.slice(this.#chars - this.#tail.length, this.#chars) !== this.#tail) return "";
    const delta = text.slice(this.#chars);
    if (delta === "") return "";
    this.#chars = text.length;
    this.#tail = text.slice(-TAIL_CHARS);
    return delta;
  }
}
