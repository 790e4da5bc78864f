import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

import { execa } from "execa";

const main = fileURLToPath(new URL("../dist/bin/agentos.js", import.meta.url));

export interface CommandOptions {
  cwd?: string;
  /** Added to the command's own. */
  env?: Record<string, string>;
  input?: string;
  /** A program that starts the command: its arguments follow. */
  wrapper?: readonly string[];
}

export interface CommandEnd {
  exitCode: number | undefined;
  stdout: string;
  stderr: string;
}

export interface RunningCommand {
  readonly stdout: Readable;
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<CommandEnd>;
}

/** The built command, in runtime and state directories of its own. Disposing ends its sidecar. */
export class AgentOsCommand implements AsyncDisposable {
  /** An empty directory for the test. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;

  static async create(): Promise<AgentOsCommand> {
    return new AgentOsCommand(await mkdtemp(join(tmpdir(), "agentos-e2e-")));
  }

  private constructor(directory: string) {
    this.directory = directory;
    this.env = {
      PATH: process.env["PATH"] ?? "",
      HOME: process.env["HOME"] ?? "/",
      TMPDIR: directory,
      AGENTOS_RUNTIME_DIR: join(directory, "r"),
      AGENTOS_STATE_DIR: join(directory, "s"),
    };
  }

  /** Starts it; a failing exit code is a result. Its standard input is empty, but for `input`. */
  start(args: readonly string[], options: CommandOptions = {}): RunningCommand {
    const { cwd = this.directory, input, env = {}, wrapper = [] } = options;
    const [program = "", ...words] = [...wrapper, process.execPath, main, ...args];
    const child = execa(program, words, {
      cwd,
      env: { ...this.env, ...env },
      extendEnv: false,
      reject: false,
      stripFinalNewline: false,
      ...(input === undefined ? { stdin: "ignore" } : { input }),
    });
    const ended = child.then(({ exitCode, stdout, stderr }) => ({ exitCode, stdout, stderr }));
    return { stdout: child.stdout, kill: (signal) => child.kill(signal), ended };
  }

  /** Runs it to its end. */
  async run(args: readonly string[], options: CommandOptions = {}): Promise<CommandEnd> {
    return await this.start(args, options).ended;
  }

  /** Runs it with --json and parses its one document. */
  async json(args: readonly string[]): Promise<unknown> {
    const [command = "", ...rest] = args;
    const { stdout } = await this.run([command, "--json", ...rest]);
    return JSON.parse(stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run(["down"]);
    await rm(this.directory, { recursive: true, force: true });
  }
}
