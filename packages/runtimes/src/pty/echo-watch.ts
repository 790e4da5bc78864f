/** Of what is typed: enough to tell it from what was there. */
const TAIL_CHARACTERS = 120;

/** Sees whether what was typed has come onto the screen. Wherever a program breaks its lines is no difference. */
export class EchoWatch {
  readonly #screen: { readonly text: string };
  readonly #tail: string;
  readonly #before: number;
  #isSeen = false;

  constructor(screen: { readonly text: string }, text: string) {
    this.#screen = screen;
    this.#tail = dense(text).slice(-TAIL_CHARACTERS);
    this.#before = this.#count();
  }

  /** Whether it is there now, or was at an earlier look. */
  look(): boolean {
    this.#isSeen ||= this.#count() > this.#before;
    return this.#isSeen;
  }

  #count(): number {
    return this.#tail === "" ? 0 : dense(this.#screen.text).split(this.#tail).length - 1;
  }
}

function dense(text: string): string {
  return text.replaceAll(/\s+/g, "");
}
