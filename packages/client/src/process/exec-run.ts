import {
  AgentOsError,
  CHANNEL,
  DEFAULTS,
  FRAME_KIND,
  type ProcessExit,
  type StreamFrame,
} from "@agentos/protocol";

import type { Connection } from "../connection/connection.ts";
import type { FrameReceiver } from "../connection/frame-receiver.ts";
import { isLost } from "../connection/lost-connection.ts";
import type { Resumable } from "../connection/resumable.ts";
import type { VmAdmin } from "../leases/vm-admin.ts";
import type { VmStream } from "../leases/vm-stream.ts";
import { Acknowledger } from "./acknowledger.ts";
import { type InputSource, InputStream } from "./input-stream.ts";
import { OutputCollector } from "./output-collector.ts";
import type { ChunkListener } from "./output-encoding.ts";
import { type ProcessEnd, processEnd } from "./process-end.ts";
import { type ProcessChoices, processRequest } from "./process-request.ts";

/** An end that was asked for comes within this, or it is `unknown`. */
const KILLED_MS = DEFAULTS.requestMs;
/** Before the first repetition of a kill; then twice as long each time. */
const KILL_AGAIN_MS = 50;
const MAX_TIMER_MS = 0x7fff_ffff;
const UNSEEN = Symbol("the end was not seen");

export interface ExecRunOptions extends ProcessChoices {
  processId: string;
  argv: string[];
  maxOutputBytes: number;
  stdin?: InputSource | undefined;
  signal?: AbortSignal | undefined;
  onStdout: ChunkListener | undefined;
  onStderr: ChunkListener | undefined;
}

export interface ExecEnd extends ProcessEnd {
  stdout: OutputCollector;
  stderr: OutputCollector;
}

/** One command from its request to its last byte: one message out, one in, and a release; over as many connections as that takes. */
export class ExecRun implements FrameReceiver, Resumable {
  readonly #admin: VmAdmin;
  readonly #options: ExecRunOptions;
  readonly #startedAt = performance.now();
  readonly #stream: VmStream;
  readonly #stdout: OutputCollector;
  readonly #stderr: OutputCollector;
  readonly #input: InputStream;
  readonly #answer = Promise.withResolvers<ProcessExit>();
  readonly #given = Promise.withResolvers<never>();
  #state: "waiting" | "asked" | "over" = "waiting";
  #progress: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  #fault: { error: unknown } | undefined;
  #aborted = false;

  constructor(admin: VmAdmin, options: ExecRunOptions) {
    this.#admin = admin;
    this.#options = options;
    this.#stream = admin.openStream(this);
    this.#stdout = this.#collector(CHANNEL.stdout, options.onStdout);
    this.#stderr = this.#collector(CHANNEL.stderr, options.onStderr);
    this.#input = new InputStream(this.#stream);
    // Whoever waits hears of it; when nobody does any more, it does not matter.
    this.#given.promise.catch(() => undefined);
    this.#answer.promise.catch(() => undefined);
  }

  /** Resolves when the command has ended and its output is here. */
  async finished(): Promise<ExecEnd> {
    const { signal, timeoutMs } = this.#options;
    if (signal?.aborted === true) return this.#seen(this.#unseen("cancelled"));
    const abort = (): void => this.#abort();
    signal?.addEventListener("abort", abort, { once: true });
    // The VM's agent keeps the time; this only makes sure that a stuck one is not waited for.
    if (timeoutMs !== undefined) this.#giveUpAfter(timeoutMs + KILLED_MS);
    try {
      const exit = await this.#run();
      if (exit !== undefined) await this.#drained(exit);
      return this.#end(exit);
    } finally {
      clearTimeout(this.#timer);
      clearTimeout(this.#again);
      signal?.removeEventListener("abort", abort);
      this.#release();
    }
  }

  /** Asks for the process, or for what is still missing of it. */
  resume(connection: Connection): void {
    const { processId, argv, stdin } = this.#options;
    const received =
      this.#state === "waiting"
        ? undefined
        : { stdout: this.#stdout.resume(), stderr: this.#stderr.resume() };
    this.#state = "asked";
    const stream = this.#stream.carry(connection);
    const identity = { ...this.#admin.scope, processId, argv, stream };
    const request = processRequest(identity, this.#options, stdin !== undefined, received);
    connection.request("process.exec", request, { deadlineMs: null }).then(
      (exit) => this.#answer.resolve(exit),
      (error: unknown) => {
        if (!isLost(error, connection)) this.#answer.reject(error);
      },
    );
    if (received !== undefined) this.#input.resend();
  }

  frame({ kind, offset, payload }: StreamFrame): void {
    try {
      if (kind === FRAME_KIND.out) this.#stdout.accept(offset, payload);
      else if (kind === FRAME_KIND.err) this.#stderr.accept(offset, payload);
      else if (kind === FRAME_KIND.inAck) this.#input.taken(offset);
    } catch (error) {
      // A listener's own error, or bytes missing: the command ends, and the caller hears why.
      this.#fail(error);
    }
    this.#progress?.();
  }

  lost(reason: AgentOsError): void {
    this.#input.stop();
    this.#given.reject(reason);
  }

  #collector(channel: number, listener: ChunkListener | undefined): OutputCollector {
    return new OutputCollector({
      maxBytes: this.#options.maxOutputBytes,
      acknowledger: new Acknowledger(this.#stream, channel),
      listener,
    });
  }

  /** The process's end, or undefined where nobody saw it. */
  async #run(): Promise<ProcessExit | undefined> {
    const { stdin } = this.#options;
    this.#admin.begin(this);
    if (stdin !== undefined) this.#input.feed(stdin).catch((error: unknown) => this.#fail(error));
    try {
      return await Promise.race([this.#answer.promise, this.#given.promise]);
    } catch (error) {
      if (error === UNSEEN) return undefined;
      // Nothing runs, or nobody can be told: there is nothing to release.
      this.#stream.close();
      throw error;
    }
  }

  /** The output that its end speaks of may still be on its way. */
  async #drained(exit: ProcessExit): Promise<void> {
    const [stdout, stderr] = [this.#stdout, this.#stderr];
    const complete = (): boolean =>
      this.#fault !== undefined ||
      (stdout.received >= exit.stdoutBytes && stderr.received >= exit.stderrBytes);
    while (!complete()) {
      const progress = Promise.withResolvers<void>();
      this.#progress = () => progress.resolve();
      const late = setTimeout(
        () => progress.reject(missing(exit, stdout, stderr)),
        DEFAULTS.requestMs,
      );
      await Promise.race([progress.promise, this.#given.promise]).finally(() => clearTimeout(late));
    }
  }

  #end(exit: ProcessExit | undefined): ExecEnd {
    this.#options.onStdout?.end();
    this.#options.onStderr?.end();
    if (this.#fault !== undefined) throw this.#fault.error;
    if (exit !== undefined) return this.#seen(processEnd(exit, this.#aborted));
    // Without a connection it was never asked for.
    return this.#seen(this.#unseen(this.#state === "waiting" ? "cancelled" : "unknown"));
  }

  #seen(end: ProcessEnd): ExecEnd {
    return { ...end, stdout: this.#stdout, stderr: this.#stderr };
  }

  #unseen(outcome: "cancelled" | "unknown"): ProcessEnd {
    return {
      exitCode: null,
      signal: null,
      outcome,
      durationMs: performance.now() - this.#startedAt,
    };
  }

  #abort(): void {
    this.#aborted = true;
    this.#kill();
  }

  #fail(error: unknown): void {
    if (this.#fault !== undefined) return;
    this.#fault = { error };
    this.#kill();
  }

  #kill(): void {
    if (this.#state === "waiting") return this.#given.reject(UNSEEN);
    this.#giveUpAfter(KILLED_MS);
    this.#signal(KILL_AGAIN_MS);
  }

  /** Again and again until it has ended: a process that is being started takes no signal yet. */
  #signal(againMs: number): void {
    const { processId } = this.#options;
    // Gone already, or its connection: the answer to the exec says which.
    this.#admin
      .request("process.signal", {
        ...this.#admin.scope,
        processId,
        signal: "SIGKILL",
        scope: "session",
      })
      .catch(() => undefined);
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#signal(2 * againMs), againMs);
    this.#again.unref();
  }

  #giveUpAfter(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#given.reject(UNSEEN), Math.min(ms, MAX_TIMER_MS));
    this.#timer.unref();
  }

  #release(): void {
    this.#admin.finish(this);
    this.#input.stop();
    const wasAsked = this.#state === "asked" && this.#stream.isOpen;
    this.#state = "over";
    if (!wasAsked) return this.#stream.close();
    if (this.#stream.release()) return;
    const { processId } = this.#options;
    // Its connection is lost. What this does not release, the end of the lease does.
    this.#admin
      .request("process.release", { ...this.#admin.scope, processId })
      .catch(() => undefined);
  }
}

function missing(
  exit: ProcessExit,
  stdout: OutputCollector,
  stderr: OutputCollector,
): AgentOsError {
  const operation = `the last output of process ${exit.processId}`;
  const message = `${operation}: expected ${exit.stdoutBytes} and ${exit.stderrBytes} bytes, got ${stdout.received} and ${stderr.received}`;
  return new AgentOsError("DEADLINE_EXCEEDED", message, {
    operation,
    deadlineMs: DEFAULTS.requestMs,
  });
}
