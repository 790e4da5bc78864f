import { styleText } from "node:util";

import type { Io } from "../io.ts";
import type { DiffLine } from "./diff.ts";
import { OutputEncoder } from "./encode-output.ts";
import { LineIndenter } from "./line-indenter.ts";
import { formatDuration } from "./quantity.ts";
import { write, writeJson } from "./write.ts";

/** Names of what the demo times, in order. */
export type StepName =
  | "sidecar"
  | "vm"
  | "copy"
  | "tests"
  | "fix"
  | "agent"
  | "install"
  | "tests-again"
  | "bring-back"
  | "end";

/** What the demo shows: for a person, or as JSON lines. */
export interface DemoScreen {
  /** A step begins. */
  begin(title: string): Promise<void>;
  /** What a step found, and how long it took. */
  done(step: StepName, text: string, ms: number): Promise<void>;
  /** Live output of the guest. */
  output(bytes: Uint8Array): Promise<void>;
  diff(path: string, lines: readonly DiffLine[]): Promise<void>;
  summary(times: readonly (readonly [string, number])[], totalMs: number): Promise<void>;
}

export function createDemoScreen(io: Io, json: boolean): DemoScreen {
  return json ? jsonScreen(io) : new TextScreen(io);
}

function jsonScreen({ stdout }: Io): DemoScreen {
  const encoder = new OutputEncoder();
  return {
    begin: async () => {},
    done: (step, text, ms) => writeJson(stdout, { event: "step", step, text, durationMs: ms }),
    output: async (bytes) => {
      const piece = encoder.push(bytes);
      if (piece !== undefined) await writeJson(stdout, { event: "stdout", ...piece });
    },
    diff: (path, lines) =>
      writeJson(stdout, { event: "diff", path, lines: lines.map(({ sign, text }) => sign + text) }),
    summary: (times, totalMs) =>
      writeJson(stdout, { event: "summary", times: Object.fromEntries(times), totalMs }),
  };
}

type Style = Parameters<typeof styleText>[0];
const DIFF_STYLE = { " ": "dim", "-": "red", "+": "green" } as const;

class TextScreen implements DemoScreen {
  readonly #io: Io;
  #indenter = new LineIndenter("    │ ");

  constructor(io: Io) {
    this.#io = io;
  }

  async begin(title: string): Promise<void> {
    await this.#line(this.#style("bold", title));
  }

  async done(_step: StepName, text: string, ms: number): Promise<void> {
    await write(this.#io.stdout, this.#indenter.end());
    await this.#line(`  ${text} ${this.#style("dim", `(${formatDuration(ms)})`)}`);
  }

  async output(bytes: Uint8Array): Promise<void> {
    await write(this.#io.stdout, this.#indenter.push(bytes));
  }

  async diff(path: string, lines: readonly DiffLine[]): Promise<void> {
    await this.#line(`    ${path}`);
    for (const { sign, text } of lines) {
      await this.#line(this.#style(DIFF_STYLE[sign], `    ${sign} ${text}`));
    }
  }

  async summary(times: readonly (readonly [string, number])[], totalMs: number): Promise<void> {
    const rows = [...times, ["all of it", totalMs] as const];
    const width = Math.max(...rows.map(([name]) => name.length));
    await this.#line(`\n${this.#style("bold", "Summary")}`);
    for (const [name, ms] of rows) {
      await this.#line(`  ${name.padEnd(width)}  ${formatDuration(ms).padStart(8)}`);
    }
  }

  async #line(text: string): Promise<void> {
    await write(this.#io.stdout, `${text}\n`);
  }

  #style(style: Style, text: string): string {
    return usesColour(this.#io) ? styleText(style, text, { validateStream: false }) : text;
  }
}

/** Colours at a terminal only, unless the environment says otherwise. */
export function usesColour(io: Io): boolean {
  const { NO_COLOR: never, FORCE_COLOR: always } = io.env;
  if (never !== undefined && never !== "") return false;
  if (always !== undefined) return always !== "0";
  return io.stdout.isTTY === true;
}
