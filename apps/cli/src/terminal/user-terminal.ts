import type { TerminalSize } from "@agentos/client";
import { AgentOsError } from "@agentos/client";
import { execaSync } from "execa";

import type { Io } from "../io.ts";
import { ScreenModes } from "./screen-modes.ts";

const USUAL: TerminalSize = { cols: 80, rows: 24 };
const MOST_CELLS = 1_000;

/** The terminal that the person sits at, raw until it is disposed. */
export class UserTerminal implements Disposable {
  readonly #io: Io;
  readonly #modes = new ScreenModes();
  readonly #restore = (): void => this[Symbol.dispose]();
  #resized: (() => void) | undefined;
  #isRaw = false;

  /** Throws `UNSUPPORTED` where standard input and output are not both a terminal. */
  static assertOne(io: Io): void {
    for (const name of ["stdin", "stdout"] as const) {
      if (io[name].isTTY === true && (name === "stdout" || io.stdin.setRawMode !== undefined))
        continue;
      throw new AgentOsError(
        "UNSUPPORTED",
        `expected a terminal as ${name}, got a file or a pipe`,
        {
          what: "a terminal without a terminal",
          instead: "Without one, run programs with: agentos run, agentos exec",
        },
      );
    }
  }

  constructor(io: Io) {
    UserTerminal.assertOne(io);
    this.#io = io;
    this.#isRaw = true;
    io.stdin.setRawMode?.(true);
    // Node leaves new lines translated, which full-screen programs do not expect. What Node
    // restores includes this. Without stty it is as good as Node makes it.
    execaSync("stty", ["-opost"], { stdin: "inherit", reject: false });
    // Whatever ends this process in an orderly way, the terminal is as it was.
    process.once("exit", this.#restore);
  }

  get size(): TerminalSize {
    return sizeOf(this.#io);
  }

  /** Calls back each time that its size changes. */
  onResize(listener: (size: TerminalSize) => void): void {
    this.#resized = () => listener(this.size);
    this.#io.stdout.on("resize", this.#resized);
  }

  /** Notes what the guest's output does to it. */
  note(bytes: Uint8Array): void {
    this.#modes.feed(bytes);
  }

  [Symbol.dispose](): void {
    if (!this.#isRaw) return;
    this.#isRaw = false;
    process.off("exit", this.#restore);
    if (this.#resized !== undefined) this.#io.stdout.off("resize", this.#resized);
    this.#io.stdin.setRawMode?.(false);
    this.#io.stdin.pause();
    const undone = this.#modes.restore();
    if (undone !== "") this.#io.stdout.write(undone);
  }
}

/** The size of the terminal that the person sits at, within what a guest's can have. */
export function sizeOf({ stdout: { columns = 0, rows = 0 } }: Io): TerminalSize {
  return { cols: within(columns, USUAL.cols), rows: within(rows, USUAL.rows) };
}

function within(value: number, usual: number): number {
  return value === 0 ? usual : Math.min(value, MOST_CELLS);
}
