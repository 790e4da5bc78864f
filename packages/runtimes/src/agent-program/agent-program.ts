import type { AgentTrace, RuntimeHost } from "@agentos/core";
import { AgentOsError, type Json } from "@agentos/protocol";

import { type AgentLine, parseLine } from "../agent-process/agent-line.ts";
import { AgentProcess, type AgentProcessOptions } from "../agent-process/agent-process.ts";

export type ProgramOptions = Omit<AgentProcessOptions, "onLine" | "onBytes" | "keepsLines">;

/** Of lines whose meaning waits for somebody: with more of them another life of the sidecar can't go on. */
const OPEN_LINES_CHARS = 1024 * 1024;

/**
 * An agent that is a program in a VM and speaks in lines: how it is opened, watched and given up, and how another life
 * of the sidecar takes it over. A line's meaning and how far the reading is are written in one transaction, and only
 * then the VM forgets the line.
 */
export abstract class AgentProgram implements AsyncDisposable {
  readonly #program: ProgramOptions;
  readonly #host: RuntimeHost;
  readonly #exited = Promise.withResolvers<AgentOsError>();
  /** Lines that ask for something, until they have their answer. */
  readonly #openLines = new Set<string>();
  #process: AgentProcess | undefined;
  #stdoutBytes = 0;
  #turnId: string | null = null;
  /** What its turn ended with, and what was to be remembered then: until the next prompt, for the engine may not have written that end. */
  #last: { readonly text: string; readonly memo: Json } | undefined;
  #isSettled = false;
  /** Of an earlier life: they are taken again. */
  #left: readonly string[] = [];

  protected constructor(program: ProgramOptions, host: RuntimeHost) {
    this.#program = program;
    this.#host = host;
  }

  /** Rejects as starting it or its first words do; then nothing of it is left. */
  protected static async opened<T extends AgentProgram>(
    program: T,
    { signal }: { signal: AbortSignal },
  ): Promise<T> {
    return await orEnded(program, () => program.#start(signal));
  }

  /** One that an earlier life started. Rejects where it is gone; then nothing of it is left. */
  protected static async adopted<T extends AgentProgram>(
    program: T,
    trace: AgentTrace,
  ): Promise<T> {
    return await orEnded(program, () => program.#adopt(trace));
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

  /**
   * A line of its stdout. A promise: it has to be answered, and is then. `end`: the turn ends with it. `isAgain`: an
   * earlier life has told it as it is.
   */
  protected abstract take(line: AgentLine, isAgain: boolean): Promise<void> | "end" | undefined;

  /** It is gone: whoever waits for it is told. The error is what its end means. */
  protected abstract gone(exit: AgentOsError<"AGENT_EXITED">): AgentOsError;

  /** What the next life has to know besides. */
  protected memo(): Json {
    return null;
  }

  /** What `memo` was in the life before. */
  protected async remember(_memo: Json): Promise<void> {}

  /** One line on its stdin; nothing where it is not started or gone. */
  protected async send(line: Json): Promise<void> {
    await this.#process?.send(line);
  }

  /** It has this turn's prompt. */
  protected prompted(turnId: string): void {
    this.#turnId = turnId;
    if (this.#isSettled) this.#last = undefined;
    this.#isSettled = false;
    this.#keepTrace();
  }

  /** Its turn is over. */
  protected settled(): void {
    this.#isSettled = true;
  }

  /** Of one that was taken over: what it says of this turn comes from now on. */
  protected async readOn(turnId: string): Promise<void> {
    this.#turnId = turnId;
    for (const text of this.#left)
      this.#takeOpen(parseLine({ kind: "whole", text }), { isAgain: true });
    this.#left = [];
    await this.#process?.readOn();
  }

  async #start(signal: AbortSignal): Promise<void> {
    const env = { ...this.#program.env, ...(await this.prepare()) };
    this.#keep(await AgentProcess.start({ ...this.#options, env }, { signal }));
    await this.greet(signal);
  }

  async #adopt(trace: AgentTrace): Promise<void> {
    const { agent, vm } = this.#program;
    const adopted = vm.claim(trace.processId);
    if (adopted === undefined) throw notThere(agent);
    this.#stdoutBytes = trace.stdoutBytes;
    this.#left = trace.openLines;
    this.#keep(AgentProcess.adopt(this.#options, adopted, trace.stdoutBytes));
    await this.remember(trace.memo);
  }

  get #options(): AgentProcessOptions {
    const onLine = (line: AgentLine, end: number): void => this.#line(line, end);
    return { ...this.#program, keepsLines: true, onLine };
  }

  #keep(process: AgentProcess): void {
    this.#process = process;
    void this.#watch(process);
  }

  async #watch(process: AgentProcess): Promise<void> {
    this.#exited.resolve(this.gone(await process.exited));
    // What it has left goes with it, at once. Where that fails, whoever gives the agent up is told.
    await process[Symbol.asyncDispose]().catch(() => undefined);
  }

  #line(line: AgentLine, end: number): void {
    this.#stdoutBytes = end;
    try {
      this.#host.together(() => this.#takeOpen(line, { isAgain: false }));
    } finally {
      this.#keepTrace();
    }
  }

  #takeOpen(line: AgentLine, { isAgain }: { isAgain: boolean }): void {
    const taken = this.take(line, isAgain);
    if (taken === undefined || line.kind !== "json") return;
    const { text } = line;
    if (taken === "end") {
      this.#last = { text, memo: this.memo() };
      this.#isSettled = false;
      return;
    }
    this.#openLines.add(text);
    void taken.finally(() => {
      this.#openLines.delete(text);
      this.#keepTrace();
    });
  }

  #keepTrace(): void {
    const process = this.#process;
    if (process === undefined) return;
    const last = this.#last;
    const openLines = [...this.#openLines, ...(last === undefined ? [] : [last.text])];
    const chars = openLines.reduce((sum, { length }) => sum + length, 0);
    const isKept = chars <= OPEN_LINES_CHARS;
    const trace = {
      processId: process.processId,
      stdoutBytes: this.#stdoutBytes,
      openLines: isKept ? openLines : [],
      turnId: isKept ? this.#turnId : null,
      memo: last === undefined ? this.memo() : last.memo,
    };
    const { stdoutBytes } = trace;
    this.#host.keepTrace(trace, () => process.acknowledge(stdoutBytes));
  }
}

async function orEnded<T extends AgentProgram>(program: T, begin: () => Promise<void>): Promise<T> {
  try {
    await begin();
    return program;
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw error;
  }
}

function notThere(agent: string): AgentOsError<"AGENT_EXITED"> {
  const message = `the agent ${agent} is gone: its VM does not know it`;
  return new AgentOsError("AGENT_EXITED", message, { exitCode: null, signal: null, stderr: [] });
}
