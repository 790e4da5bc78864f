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

interface Streams {
  connection: Connection;
  stream: VmStream;
  stdout: OutputCollector;
  stderr: OutputCollector;
  input: InputStream;
}

/** One command from its request to its last byte: one message out, one in, and a release. */
export class ExecRun implements FrameReceiver {
  readonly #admin: VmAdmin;
  readonly #options: ExecRunOptions;
  readonly #startedAt = performance.now();
  readonly #given = Promise.withResolvers<never>();
  #streams: Streams | undefined;
  #progress: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  #fault: { error: unknown } | undefined;
  #aborted = false;

  constructor(admin: VmAdmin, options: ExecRunOptions) {
    this.#admin = admin;
    this.#options = options;
    // Whoever waits hears of it; when nobody does any more, it does not matter.
    this.#given.promise.catch(() => undefined);
  }

  /** Resolves when the command has ended and its output is here. */
  async finished(): Promise<ExecEnd> {
    const { signal, timeoutMs } = this.#options;
    const connection = this.#admin.connection ?? (await this.#admin.connected());
    const streams = this.#open(connection);
    if (signal?.aborted === true) return this.#neverBegun(streams);
    const abort = (): void => this.#abort();
    signal?.addEventListener("abort", abort, { once: true });
    // The VM's agent keeps the time; this only makes sure that a stuck one is not waited for.
    if (timeoutMs !== undefined) this.#giveUpAfter(timeoutMs + KILLED_MS);
    try {
      const exit = await this.#run(streams);
      if (exit !== undefined) await this.#drained(streams, exit);
      return this.#end(streams, exit);
    } finally {
      clearTimeout(this.#timer);
      clearTimeout(this.#again);
      signal?.removeEventListener("abort", abort);
      this.#release(streams);
    }
  }

  frame({ kind, offset, payload }: StreamFrame): void {
    const streams = this.#streams;
    if (streams === undefined) return;
    try {
      if (kind === FRAME_KIND.out) streams.stdout.accept(offset, payload);
      else if (kind === FRAME_KIND.err) streams.stderr.accept(offset, payload);
      else if (kind === FRAME_KIND.inAck) streams.input.taken(offset);
    } catch (error) {
      // A listener's own error, or bytes missing: the command ends, and the caller hears why.
      this.#fail(error);
    }
    this.#progress?.();
  }

  closed(reason: AgentOsError): void {
    this.#streams?.input.stop();
    this.#given.reject(reason);
  }

  #open(connection: Connection): Streams {
    const { maxOutputBytes, onStdout, onStderr } = this.#options;
    const stream = this.#admin.openStream(connection, this);
    const collector = (channel: number, listener: ChunkListener | undefined): OutputCollector =>
      new OutputCollector({
        maxBytes: maxOutputBytes,
        acknowledger: new Acknowledger(stream, channel),
        listener,
      });
    this.#streams = {
      connection,
      stream,
      stdout: collector(CHANNEL.stdout, onStdout),
      stderr: collector(CHANNEL.stderr, onStderr),
      input: new InputStream(stream),
    };
    return this.#streams;
  }

  /** The process's end, or undefined where nobody saw it. */
  async #run({ connection, stream, input }: Streams): Promise<ProcessExit | undefined> {
    const { processId, argv, stdin } = this.#options;
    const identity = { ...this.#admin.scope, processId, argv, stream: stream.number };
    const request = processRequest(identity, this.#options, stdin !== undefined);
    const answer = connection.request("process.exec", request, { deadlineMs: null });
    if (stdin !== undefined) input.feed(stdin).catch((error: unknown) => this.#fail(error));
    try {
      return await Promise.race([answer, this.#given.promise]);
    } catch (error) {
      if (error === UNSEEN) return undefined;
      // Nothing runs, or nobody can be told: there is nothing to release.
      stream.close();
      throw await this.#admin.explain(error, connection);
    }
  }

  /** The output that its end speaks of may still be on its way. */
  async #drained({ stdout, stderr }: Streams, exit: ProcessExit): Promise<void> {
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

  #end({ stdout, stderr }: Streams, exit: ProcessExit | undefined): ExecEnd {
    this.#options.onStdout?.end();
    this.#options.onStderr?.end();
    if (this.#fault !== undefined) throw this.#fault.error;
    const end = exit === undefined ? this.#unseen("unknown") : processEnd(exit, this.#aborted);
    return { ...end, stdout, stderr };
  }

  #neverBegun({ stream, stdout, stderr }: Streams): ExecEnd {
    stream.close();
    return { ...this.#unseen("cancelled"), stdout, stderr };
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

  #release({ connection, stream, input }: Streams): void {
    input.stop();
    if (!stream.isOpen) return;
    stream.close();
    const { processId } = this.#options;
    // Nobody waits for it: what a lost connection does not release, the end of the lease does.
    connection
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
