import type { Terminal } from "@xterm/headless";
import { loadPackage, type TerminalSize } from "@agentos/protocol";

/** Lines above the screen that are kept: a long reply scrolls. */
const SCROLLBACK_LINES = 5_000;

/** The place of a line, wherever it has scrolled to. */
export interface ScreenMark {
  readonly line: number;
  dispose(): void;
}

/** What a program on a terminal has made of its screen. */
export class TerminalScreen implements Disposable {
  readonly #terminal: Terminal;

  private constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** `reply`: what the terminal itself answers, such as where the cursor is. Rejects with `PACKAGE_MISSING`. */
  static async open(size: TerminalSize, reply: (data: string) => void): Promise<TerminalScreen> {
    // Large, and wanted by few: only when it is used.
    const { default: xterm } = await loadPackage("@xterm/headless", 6, () => {
      return import("@xterm/headless");
    });
    const terminal = new xterm.Terminal({
      ...size,
      scrollback: SCROLLBACK_LINES,
      allowProposedApi: true,
    });
    terminal.onData(reply);
    return new TerminalScreen(terminal);
  }

  /** Calls back once the bytes are on the screen. */
  write(bytes: Uint8Array, shown: () => void): void {
    this.#terminal.write(bytes, shown);
  }

  /** Whether the program takes what is typed at once as one paste. */
  get takesPaste(): boolean {
    return this.#terminal.modes.bracketedPasteMode;
  }

  /** Line by line, without trailing blanks. */
  get text(): string {
    const { active } = this.#terminal.buffer;
    return this.#lines(active.baseY, active.baseY + this.#terminal.rows);
  }

  /** The line that the cursor is in. */
  mark(): ScreenMark | undefined {
    return this.#terminal.registerMarker(0);
  }

  /** What stands below a line now; the whole screen of a program that draws all of it, or has cleared it since. */
  textBelow(mark: ScreenMark | undefined): string {
    const { active, normal } = this.#terminal.buffer;
    if (mark === undefined || mark.line < 0 || active !== normal) return this.text;
    return this.#lines(mark.line + 1, active.length);
  }

  [Symbol.dispose](): void {
    this.#terminal.dispose();
  }

  #lines(from: number, to: number): string {
    const { active } = this.#terminal.buffer;
    let text = "";
    for (let row = from; row < to; row += 1) {
      const line = active.getLine(row);
      // A line that was too long for the screen goes on in the next row.
      if (row > from && line?.isWrapped !== true) text = `${text.trimEnd()}\n`;
      text += line?.translateToString(false) ?? "";
    }
    return text.replaceAll(/[^\S\n]+$/gm, "").trimEnd();
  }
}
