import type { FrameSink, ProcessRequest, VmProcess, VmProcessExit } from "@agentos/core";
import {
  AgentOsError,
  CHANNEL,
  decodeFrame,
  FRAME_KIND,
  type ProcessInfo,
  type Signal,
  type SignalScope,
} from "@agentos/protocol";

import type { FakeProgram } from "./fake-program.ts";
import { FakeStream } from "./fake-stream.ts";
import { LoggedOutput } from "./logged-output.ts";
import type { MemoryTree } from "./memory-tree.ts";
import { PipedOutput } from "./piped-output.ts";
import { ProcessInput } from "./process-input.ts";

/** Signals that end a process only where it says so. */
const HARMLESS: ReadonlySet<Signal> = new Set([
  "SIGCHLD",
  "SIGCONT",
  "SIGURG",
  "SIGWINCH",
  "SIGSTOP",
  "SIGTSTP",
  "SIGTTIN",
  "SIGTTOU",
]);

export interface FakeProcessOptions {
  readonly request: ProcessRequest;
  readonly program: FakeProgram;
  readonly files: MemoryTree;
  readonly sink: FrameSink;
  readonly stream: number;
  readonly pid: number;
  readonly onRelease: () => void;
}

/** A scripted function that looks like a process from outside. */
export class FakeProcess implements VmProcess {
  readonly pid: number;
  readonly request: ProcessRequest;
  readonly exited: Promise<VmProcessExit>;
  readonly stdout: PipedOutput | LoggedOutput;
  readonly stderr: PipedOutput | LoggedOutput;
  readonly #stream: FakeStream;
  readonly #input: ProcessInput;
  readonly #exit = Promise.withResolvers<VmProcessExit>();
  readonly #ended = new AbortController();
  readonly #traps = new Map<Signal, () => void>();
  readonly #background: Promise<void>[] = [];
  readonly #onRelease: () => void;
  readonly #startedAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FakeProcessOptions) {
    const { request } = options;
    this.pid = options.pid;
    this.request = request;
    this.#onRelease = options.onRelease;
    this.exited = this.#exit.promise;
    // Whoever starts a process need not care how it ends.
    this.exited.catch(() => undefined);
    this.#stream = new FakeStream(options.sink, options.stream);
    this.#input = new ProcessInput(this.#stream, request.windowBytes, request.stdin);
    this.stdout = this.#output(FRAME_KIND.out, CHANNEL.stdout);
    this.stderr = this.#output(FRAME_KIND.err, CHANNEL.stderr);
    if (request.timeoutMs !== undefined) {
      this.#timer = setTimeout(() => this.#end(null, "SIGKILL", true), request.timeoutMs);
    }
    // Not before the caller has the process, as with a real one.
    queueMicrotask(() => void this.#run(options));
  }

  get isRunning(): boolean {
    return !this.#ended.signal.aborted;
  }

  get info(): ProcessInfo {
    const { pid, request } = this;
    const command = request.argv.join(" ").slice(0, 256);
    const state = this.isRunning ? "S" : "Z";
    const ids = { pid, ppid: 1, pgid: pid, sid: pid };
    return { ...ids, state, command, cpuMs: 0, rssBytes: 0, processId: request.processId };
  }

  send(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame === undefined) throw new Error("the fake process got bytes that are not one frame");
    switch (frame.kind) {
      case FRAME_KIND.dataIn:
        return this.#input.receive(frame.offset, frame.payload);
      case FRAME_KIND.eofIn:
        return this.#input.receiveEnd(frame.offset);
      case FRAME_KIND.ack: {
        const output = frame.payload[0] === CHANNEL.stderr ? this.stderr : this.stdout;
        if (output instanceof PipedOutput) output.ack(frame.offset);
        return;
      }
      default:
        throw new Error(`the fake process got a frame of kind ${frame.kind}`);
    }
  }

  signal(signal: Signal, scope: SignalScope): void {
    const trap = this.#traps.get(signal);
    // A background child is in the same session, not the same process.
    if (!this.isRunning && scope === "process") return;
    if (trap !== undefined && signal !== "SIGKILL") return trap();
    if (this.isRunning && !HARMLESS.has(signal)) this.#end(null, signal, false);
  }

  /** What its readers and writers have got so far. */
  get offsets(): { acknowledged: { stdout: number; stderr: number }; stdinReceived: number } {
    const [stdout, stderr] = [this.stdout, this.stderr].map((output) =>
      output instanceof PipedOutput ? output.acknowledged : 0,
    );
    const acknowledged = { stdout: stdout ?? 0, stderr: stderr ?? 0 };
    return { acknowledged, stdinReceived: this.#input.received };
  }

  /** Frames go to another reader, who says with `resume` what it has. */
  attach(sink: FrameSink): void {
    this.#stream.attach(sink);
  }

  async resume(received: { stdout: number; stderr: number }): Promise<void> {
    const { stdout, stderr } = received;
    if (!this.stdout.canResume(stdout) || !this.stderr.canResume(stderr)) {
      const expected = "offsets that were produced and not acknowledged beyond";
      const actual = `stdout ${stdout}, stderr ${stderr}`;
      const message = `received: expected ${expected}, got ${actual}`;
      const details = { argument: "received", expected, actual };
      throw new AgentOsError("INVALID_ARGUMENT", message, details);
    }
    this.#stream.restart();
    this.#input.resume();
    this.stdout.resume(stdout);
    this.stderr.resume(stderr);
  }

  close(): void {
    this.#stream.release();
    this.stdout.drop();
    this.stderr.drop();
    this.#onRelease();
  }

  /** The VM is gone. */
  lose(reason: AgentOsError): void {
    clearTimeout(this.#timer);
    this.#stream.break(reason);
    this.stdout.drop();
    this.stderr.drop();
    this.#ended.abort();
    this.#input.abandon();
    this.#exit.reject(reason);
  }

  #output(kind: number, channel: number): PipedOutput | LoggedOutput {
    const { output, windowBytes } = this.request;
    if (output === "logged") return new LoggedOutput(windowBytes);
    return new PipedOutput({ stream: this.#stream, kind, channel, windowBytes });
  }

  async #run({ program, files }: FakeProcessOptions): Promise<void> {
    const { argv, env, cwd } = this.request;
    try {
      const code = await program({
        argv,
        env,
        cwd,
        files,
        stdin: this.#input,
        stdout: (data) => this.#write(this.stdout, data),
        stderr: (data) => this.#write(this.stderr, data),
        ended: this.#ended.signal,
        trap: (signal, handler) => this.#traps.set(signal, handler),
        background: (work) => this.#background.push(work),
      });
      this.#end(code, null, false);
    } catch (error) {
      // A faulty script must not look like a program that failed.
      this.lose(new AgentOsError("INTERNAL", `a fake program threw: ${String(error)}`, {}));
    }
  }

  /** Nothing of a process that is over is written, but for its background children. */
  #write(output: PipedOutput | LoggedOutput, data: string | Uint8Array): Promise<void> {
    if (!this.isRunning && this.#background.length === 0) return Promise.resolve();
    return output.write(typeof data === "string" ? Buffer.from(data) : data);
  }

  #end(exitCode: number | null, signal: string | null, timedOut: boolean): void {
    if (!this.isRunning) return;
    clearTimeout(this.#timer);
    this.#ended.abort();
    this.#input.abandon();
    const open = this.#background.length > 0 && !timedOut;
    const exit: VmProcessExit = {
      exitCode,
      signal,
      timedOut,
      stdoutBytes: this.stdout.total,
      stderrBytes: this.stderr.total,
      stdoutOpen: open,
      stderrOpen: open,
      durationMs: performance.now() - this.#startedAt,
    };
    queueMicrotask(() => this.#exit.resolve(exit));
    if (open) void Promise.allSettled(this.#background).then(() => this.#endChannels());
    else if (this.stdout instanceof LoggedOutput) this.#endChannels();
  }

  #endChannels(): void {
    this.stdout.end();
    this.stderr.end();
  }
}
