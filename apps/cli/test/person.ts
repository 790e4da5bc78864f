import { execFileSync } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

import { execa } from "execa";

import type { AgentOsCommand } from "./agentos-command.ts";

const host = fileURLToPath(new URL("pty-host.py", import.meta.url));
const main = fileURLToPath(new URL("../dist/bin/agentos.js", import.meta.url));

/** Whether this machine has what plays a person's terminal. */
export const canPlayTerminal = ((): boolean => {
  try {
    execFileSync("python3", ["-c", "import pty, termios"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

/** How the command left the person's terminal. */
export interface Left {
  readonly code: number;
  readonly isRestored: boolean;
}

/** A person at a terminal on which the command runs. */
export class Person implements AsyncDisposable {
  readonly left: Promise<Left>;
  readonly #stdin: Writable;
  readonly #kill: () => void;
  #text = "";
  #seen = 0;
  #isOver = false;
  #wake: () => void = () => undefined;

  static at(agentos: AgentOsCommand, args: readonly string[]): Person {
    const env = { ...agentos.env, TERM: "xterm-256color" };
    const child = execa("python3", [host, process.execPath, main, ...args], {
      cwd: agentos.directory,
      env,
      extendEnv: false,
      reject: false,
      stdin: "pipe",
      encoding: "utf8",
      buffer: { stdout: false },
    });
    const left = child.then(({ stderr }): Left =>
      JSON.parse(stderr.trim().split("\n").at(-1) ?? ""),
    );
    return new Person(child.stdin, child.stdout, left, () => child.kill("SIGKILL"));
  }

  private constructor(stdin: Writable, stdout: Readable, left: Promise<Left>, kill: () => void) {
    this.#stdin = stdin;
    this.#kill = kill;
    this.left = left;
    left.catch(() => undefined);
    stdout.on("data", (chunk: Buffer) => {
      this.#text += chunk.toString();
      this.#wake();
    });
    stdout.on("end", () => {
      this.#isOver = true;
      this.#wake();
    });
  }

  /** All that the terminal was sent. */
  get screen(): string {
    return this.#text;
  }

  type(keys: string): void {
    this.#stdin.write(`keys ${Buffer.from(keys).toString("hex")}\n`);
  }

  resize(cols: number, rows: number): void {
    this.#stdin.write(`size ${cols} ${rows}\n`);
  }

  signal(name: NodeJS.Signals): void {
    this.#stdin.write(`signal ${name}\n`);
  }

  /** Resolves with what came up to it; vitest's timeout is the bound. */
  async sees(expected: string | RegExp): Promise<string> {
    for (;;) {
      const rest = this.#text.slice(this.#seen);
      const match = typeof expected === "string" ? literal(rest, expected) : expected.exec(rest);
      if (match !== null) {
        const end = match.index + match[0].length;
        this.#seen += end;
        return rest.slice(0, end);
      }
      if (this.#isOver) throw new Error(`the command ended after ${JSON.stringify(rest)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stdin.end();
    this.#kill();
    await this.left.catch(() => undefined);
  }
}

function literal(text: string, expected: string): { index: number; 0: string } | null {
  const index = text.indexOf(expected);
  return index === -1 ? null : { index, 0: expected };
}
