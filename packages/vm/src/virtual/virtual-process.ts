import { constants } from "node:os";

import type { FrameSink, LimitHit, ProcessRequest, VmProcess, VmProcessExit } from "@agentos/core";
import { AgentOsError, isAgentOsError, type Signal, type SignalScope } from "@agentos/protocol";

import type { GuestExit } from "./guest-message.ts";
import type { GuestWorker } from "./guest-worker.ts";

/** A script that has a signal and does not end within this holds its thread: the worker is ended. */
const STUCK_MS = 3_000;
const MAX_TIMER_MS = 2 ** 31 - 1;
const NUMBERS: Readonly<Record<string, number>> = constants.signals;
/** What ends no process that has no handler; a script can have none, and nothing stops it half-way. */
const HARMLESS: ReadonlySet<Signal> = new Set([
  "SIGCHLD",
  "SIGCONT",
  "SIGSTOP",
  "SIGTSTP",
  "SIGTTIN",
  "SIGTTOU",
  "SIGURG",
  "SIGWINCH",
]);

export interface VirtualProcessOptions {
  readonly worker: GuestWorker;
  readonly vm: number;
  readonly request: ProcessRequest;
  readonly sink: FrameSink;
  readonly pid: number;
  readonly slot: number;
  readonly openFiles: number;
  readonly gone: () => AgentOsError;
  readonly onLimit: (hit: LimitHit) => void;
  readonly onReleased: () => void;
}

/** A script of a virtual VM, as the driver sees it. */
export class VirtualProcess implements VmProcess {
  readonly pid: number;
  readonly request: ProcessRequest;
  readonly exited: Promise<VmProcessExit>;
  readonly #options: VirtualProcessOptions;
  readonly #exit = Promise.withResolvers<VmProcessExit>();
  readonly #stream: number;
  #timer: NodeJS.Timeout | undefined;
  #stuck: NodeJS.Timeout | undefined;
  #timedOut = false;
  #isResuming = false;
  #isReleased = false;
  #state: "running" | "exited" = "running";

  /** Rejects with what can't be started: `COMMAND_NOT_FOUND`, `FILE_SYSTEM` for the directory, `UNSUPPORTED`. */
  static async start(options: VirtualProcessOptions): Promise<VirtualProcess> {
    const process = new VirtualProcess(options);
    try {
      await process.#start();
      return process;
    } catch (error) {
      process.#settle();
      options.worker.closeStream(process.#stream);
      throw error;
    }
  }

  private constructor(options: VirtualProcessOptions) {
    const { worker, pid, request } = options;
    this.#options = options;
    this.pid = pid;
    this.request = request;
    this.exited = this.#exit.promise;
    // Whoever starts a process need not care how it ends.
    this.exited.catch(() => undefined);
    this.#stream = worker.openStream({
      frame: (frame) => {
        // What came before the answer to a resume was for the reader before.
        if (!this.#isResuming && !this.#isReleased) options.sink.frame(frame);
      },
      exit: (exit) => this.#exited(exit),
      lost: () => this.#lost(),
    });
  }

  get isRunning(): boolean {
    return this.#state === "running";
  }

  send(frame: Uint8Array): void {
    this.#options.worker.sendFrame(this.#stream, frame);
  }

  signal(signal: Signal, _scope: SignalScope): void {
    if (HARMLESS.has(signal)) return;
    this.#kill(NUMBERS[signal] ?? constants.signals.SIGKILL);
  }

  async resume(received: { stdout: number; stderr: number }): Promise<void> {
    const { worker, vm } = this.#options;
    this.#isResuming = true;
    try {
      await worker.call(vm, { op: "resume", stream: this.#stream, ...received });
    } catch (error) {
      throw isAgentOsError(error, "FILE_SYSTEM") ? wrongOffsets(received) : error;
    } finally {
      this.#isResuming = false;
    }
  }

  /** Forgets it, and ends it: nothing lives on in a virtual VM without a reader. */
  close(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    if (this.isRunning) this.#kill(constants.signals.SIGKILL);
    else this.#options.worker.closeStream(this.#stream);
    this.#options.onReleased();
  }

  async #start(): Promise<void> {
    const { worker, vm, pid, slot, openFiles, request } = this.#options;
    const { argv, cwd, env, stdin, windowBytes, timeoutMs } = request;
    const builtin = request.builtin === undefined ? {} : { builtin: request.builtin };
    const process = { argv, cwd, env, stdin, windowBytes, pid, slot, openFiles, ...builtin };
    await worker.call(vm, { op: "start", stream: this.#stream, process });
    if (timeoutMs === undefined || this.#state === "exited") return;
    // Longer than a timer can be, and nobody will see the difference.
    this.#timer = setTimeout(() => this.#timeOut(), Math.min(timeoutMs, MAX_TIMER_MS));
    this.#timer.unref();
  }

  #timeOut(): void {
    this.#timedOut = true;
    this.#kill(constants.signals.SIGKILL);
  }

  #kill(signal: number): void {
    if (!this.isRunning) return;
    const { worker, slot } = this.#options;
    worker.kill(this.#stream, slot, signal);
    this.#stuck ??= setTimeout(() => worker.terminate(STUCK), STUCK_MS);
  }

  #exited(exit: GuestExit): void {
    if (!this.isRunning) return;
    this.#settle();
    if (this.#isReleased) this.#options.worker.closeStream(this.#stream);
    const { exitCode, signal, stdoutBytes, stderrBytes, durationMs } = exit;
    const hit = exit.limit && { limit: exit.limit.name, value: exit.limit.value };
    if (hit !== undefined) this.#options.onLimit(hit);
    this.#exit.resolve({
      exitCode,
      stdoutBytes,
      stderrBytes,
      durationMs,
      signal: signal === null ? null : nameOf(signal),
      ...(hit !== undefined && { limit: hit }),
      timedOut: this.#timedOut && signal === constants.signals.SIGKILL,
      stdoutOpen: false,
      stderrOpen: false,
    });
  }

  #lost(): void {
    const { gone, sink } = this.#options;
    this.#settle();
    this.#exit.reject(gone());
    sink.closed(gone());
  }

  #settle(): void {
    if (this.#state === "exited") return;
    this.#state = "exited";
    clearTimeout(this.#timer);
    clearTimeout(this.#stuck);
    this.#options.worker.signals.give(this.#options.slot);
  }
}

const STUCK = `a process in its worker did not end within ${STUCK_MS} ms of its signal`;

function nameOf(number: number): string {
  const found = Object.entries(NUMBERS).find(([, value]) => value === number);
  return found?.[0] ?? `SIG${number}`;
}

function wrongOffsets(received: {
  stdout: number;
  stderr: number;
}): AgentOsError<"INVALID_ARGUMENT"> {
  const expected = "offsets that were produced and not acknowledged beyond";
  const actual = `stdout ${received.stdout}, stderr ${received.stderr}`;
  const message = `received: expected ${expected}, got ${actual}`;
  return new AgentOsError("INVALID_ARGUMENT", message, { argument: "received", expected, actual });
}
