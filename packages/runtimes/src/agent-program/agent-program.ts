import type { AgentOsError, Json } from "@agentos/protocol";

import type { AgentLine } from "../agent-process/agent-line.ts";
import { AgentProcess, type AgentProcessOptions } from "../agent-process/agent-process.ts";

export type ProgramOptions = Omit<AgentProcessOptions, "onLine" | "onBytes">;

/** An agent that is a program in a VM and speaks in lines: how it is opened, watched and given up. */
export abstract class AgentProgram implements AsyncDisposable {
  readonly #program: ProgramOptions;
  readonly #exited = Promise.withResolvers<AgentOsError>();
  #process: AgentProcess | undefined;

  protected constructor(program: ProgramOptions) {
    this.#program = program;
  }

  /** Rejects as starting it or its first words do; then nothing of it is left. */
  protected static async opened<T extends AgentProgram>(
    program: T,
    { signal }: { signal: AbortSignal },
  ): Promise<T> {
    try {
      await program.#start(signal);
      return program;
    } catch (error) {
      await program[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Resolves, never rejects, once it is gone. */
  get exited(): Promise<AgentOsError> {
    return this.#exited.promise;
  }

  pids(): readonly number[] {
    const pid = this.#process?.pid;
    return pid === undefined ? [] : [pid];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
  }

  /** Before it is started; what its environment has on top. */
  protected async prepare(): Promise<Readonly<Record<string, string>>> {
    return {};
  }

  /** The first words, until it can be prompted. */
  protected abstract greet(signal: AbortSignal): Promise<void>;

  /** A line of its stdout. */
  protected abstract take(line: AgentLine): void;

  /** It is gone: whoever waits for it is told. The error is what its end means. */
  protected abstract gone(exit: AgentOsError<"AGENT_EXITED">): AgentOsError;

  /** One line on its stdin; nothing where it is not started or gone. */
  protected async send(line: Json): Promise<void> {
    await this.#process?.send(line);
  }

  async #start(signal: AbortSignal): Promise<void> {
    const env = { ...this.#program.env, ...(await this.prepare()) };
    const onLine = (line: AgentLine): void => this.take(line);
    const process = await AgentProcess.start({ ...this.#program, env, onLine }, { signal });
    this.#process = process;
    void process.exited.then((exit) => this.#exited.resolve(this.gone(exit)));
    await this.greet(signal);
  }
}
