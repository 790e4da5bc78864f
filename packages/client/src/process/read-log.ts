import {
  type AgentOsError,
  CHANNEL,
  FRAME_KIND,
  parseArgument,
  type ProcessExit,
  type StreamFrame,
} from "@agentos/protocol";
import * as z from "zod";

import type { Connection } from "../connection/connection.ts";
import type { FrameReceiver } from "../connection/frame-receiver.ts";
import { isLost } from "../connection/lost-connection.ts";
import type { Resumable } from "../connection/resumable.ts";
import type { VmAdmin } from "../leases/vm-admin.ts";
import type { VmStream } from "../leases/vm-stream.ts";
import { cancelled } from "../race-signal.ts";

export type LogChannel = "stdout" | "stderr";

/** A piece of a log. */
export interface LogChunk {
  channel: LogChannel;
  /** Position of the first byte among all that the process wrote to the channel. */
  offset: number;
  /** Bytes before it that were no longer kept. */
  dropped: number;
  data: Uint8Array;
}

export interface LogOptions {
  /** Where to begin. Default: the oldest byte kept. */
  stdoutFrom?: number | undefined;
  stderrFrom?: number | undefined;
  /** Ends the reading with `CANCELLED`. */
  signal?: AbortSignal | undefined;
}

const Options = z.strictObject({
  stdoutFrom: z.int().min(0).optional(),
  stderrFrom: z.int().min(0).optional(),
  signal: z.instanceof(AbortSignal).optional(),
});

/** Reads a logged process's output until its end, as one of many readers. */
export async function* readLog(
  admin: VmAdmin,
  processId: string,
  options: LogOptions,
): AsyncGenerator<LogChunk, void> {
  const { signal, ...from } = parseArgument(Options, options, "options");
  const reader = new LogReader(admin, processId, from);
  try {
    yield* reader.chunks(signal);
  } finally {
    reader.close();
  }
}

/** Puts the frames of both channels into order of arrival, and knows when both are over. */
class LogReader implements FrameReceiver, Resumable {
  readonly #admin: VmAdmin;
  readonly #processId: string;
  readonly #stream: VmStream;
  readonly #position: Record<LogChannel, number>;
  readonly #total: Record<LogChannel, number | undefined> = {
    stdout: undefined,
    stderr: undefined,
  };
  readonly #queue: LogChunk[] = [];
  readonly #ignoreExit: () => void;
  #failure: { reason: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(
    admin: VmAdmin,
    processId: string,
    { stdoutFrom = 0, stderrFrom = 0 }: Pick<LogOptions, "stdoutFrom" | "stderrFrom">,
  ) {
    this.#admin = admin;
    this.#processId = processId;
    this.#position = { stdout: stdoutFrom, stderr: stderrFrom };
    this.#stream = admin.openStream(this);
    this.#ignoreExit = admin.onExit(processId, (exit) => this.#exited(exit));
    admin.begin(this);
  }

  /** Asks for the log from where this reader is. */
  resume(connection: Connection): void {
    const { stdout: stdoutFrom, stderr: stderrFrom } = this.#position;
    const stream = this.#stream.carry(connection);
    const from = { processId: this.#processId, stream, stdoutFrom, stderrFrom };
    connection.request("process.log", { ...this.#admin.scope, ...from }).then(
      ({ exit }) => exit && this.#exited(exit),
      (error: unknown) => {
        if (!isLost(error, connection)) this.#fail(error);
      },
    );
  }

  close(): void {
    this.#ignoreExit();
    this.#admin.finish(this);
    this.#admin.abandon(this.#stream);
  }

  frame({ kind, offset, payload }: StreamFrame): void {
    if (kind === FRAME_KIND.out) this.#accept("stdout", offset, payload);
    else if (kind === FRAME_KIND.err) this.#accept("stderr", offset, payload);
    else if (kind === FRAME_KIND.end)
      this.#total[payload[0] === CHANNEL.stderr ? "stderr" : "stdout"] = offset;
    this.#wake?.();
  }

  lost(reason: AgentOsError): void {
    this.#fail(reason);
  }

  /** Gives credit back for each piece that was taken. */
  async *chunks(signal: AbortSignal | undefined): AsyncGenerator<LogChunk, void> {
    const abort = (): void => this.#fail(cancelled("reading a log", signal?.reason));
    if (signal?.aborted === true) abort();
    signal?.addEventListener("abort", abort, { once: true });
    try {
      for (;;) {
        const chunk = this.#queue.shift();
        if (chunk !== undefined) {
          yield chunk;
          const channel = chunk.channel === "stderr" ? CHANNEL.stderr : CHANNEL.stdout;
          const end = chunk.offset + chunk.data.byteLength;
          this.#stream.send(FRAME_KIND.ack, end, Uint8Array.of(channel));
        } else if (this.#isOver()) return;
        else if (this.#failure !== undefined) throw this.#failure.reason;
        else await this.#arrival();
      }
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  #accept(channel: LogChannel, offset: number, payload: Uint8Array): void {
    const position = this.#position[channel];
    const data = offset < position ? payload.subarray(position - offset) : payload;
    if (data.byteLength === 0) return;
    const from = Math.max(offset, position);
    this.#queue.push({ channel, offset: from, dropped: from - position, data });
    this.#position[channel] = from + data.byteLength;
  }

  #exited(exit: ProcessExit): void {
    if (!exit.stdoutOpen) this.#total.stdout ??= exit.stdoutBytes;
    if (!exit.stderrOpen) this.#total.stderr ??= exit.stderrBytes;
    this.#wake?.();
  }

  #fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#wake?.();
  }

  #isOver(): boolean {
    const { stdout, stderr } = this.#total;
    if (stdout === undefined || stderr === undefined) return false;
    return this.#position.stdout >= stdout && this.#position.stderr >= stderr;
  }

  async #arrival(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}
