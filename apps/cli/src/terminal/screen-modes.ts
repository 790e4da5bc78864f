/** Modes that a program switches on for itself, and that would spoil what comes after it. */
const USUALLY_OFF = [1, 5, 9, 47, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1047, 1049, 2004];
/** The other way round: wrapping, and the cursor. */
const USUALLY_ON = [7, 25];
const MAX_SEQUENCE = 64;
const ESC = 0x1b;

/** Follows what a program does to the terminal, so that it can be undone when the program is left in the middle. */
export class ScreenModes {
  readonly #changed = new Set<number>();
  #sequence = "";
  #hasAttributes = false;
  #hasKeypad = false;

  /** Output, in pieces as they come. */
  feed(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === ESC) this.#sequence = "\u001b";
      else if (this.#sequence !== "") this.#more(byte);
    }
  }

  /** What undoes it. */
  restore(): string {
    const modes = [...this.#changed].toSorted((a, b) => a - b);
    const undone = modes.map((mode) => `\u001b[?${mode}${USUALLY_ON.includes(mode) ? "h" : "l"}`);
    this.#changed.clear();
    const keypad = this.#hasKeypad ? "\u001b>" : "";
    const attributes = this.#hasAttributes ? "\u001b[m" : "";
    return `${undone.join("")}${keypad}${attributes}`;
  }

  #more(byte: number): void {
    this.#sequence += String.fromCharCode(byte);
    const isOver = this.#sequence.length > 2 && byte >= 0x40 && byte <= 0x7e;
    const isControlSequence = this.#sequence[1] === "[";
    if (isControlSequence && !isOver && this.#sequence.length < MAX_SEQUENCE) return;
    this.#note(this.#sequence);
    this.#sequence = "";
  }

  #note(sequence: string): void {
    // oxlint-disable-next-line no-control-regex
    const [, modes, final] = /^\u001b\[\?([\d;]+)([hl])$/.exec(sequence) ?? [];
    for (const mode of modes?.split(";") ?? []) this.#set(Number(mode), final === "h");
    // oxlint-disable-next-line no-control-regex
    const attributes = /^\u001b\[([\d;:]*)m$/.exec(sequence)?.[1];
    if (attributes !== undefined) this.#hasAttributes = !/^0*$/.test(attributes);
    if (sequence === "\u001b=" || sequence === "\u001b>") this.#hasKeypad = sequence === "\u001b=";
    // A full reset.
    if (sequence === "\u001bc") this.#changed.clear();
  }

  #set(mode: number, isOn: boolean): void {
    const isUsual = USUALLY_ON.includes(mode) ? isOn : !isOn || !USUALLY_OFF.includes(mode);
    if (isUsual) this.#changed.delete(mode);
    else this.#changed.add(mode);
  }
}
