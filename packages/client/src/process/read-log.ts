import {
  type AgentOsError,
  CHANNEL,
  encodeAck,
  FRAME_KIND,
  parseArgument,
  type ProcessExit,
  type StreamFrame,
} from "@agentos/protocol";
import * as z from "zod";

import type { FrameReceiver } from "../connection/frame-receiver.ts";
import type { VmAdmin } from "../leases/vm-admin.ts";
import type { VmStream } from "../leases/vm-stream.ts";

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
  const { stdoutFrom = 0, stderrFrom = 0, signal } = parseArgument(Options, options, "options");
  const connection = admin.connection ?? (await admin.connected());
  const reader = new LogReader({ stdout: stdoutFrom, stderr: stderrFrom });
  const stream = admin.openStream(connection, reader);
  const ignoreExit = admin.onExit(processId, (exit) => reader.exited(exit));
  try {
    const request = { ...admin.scope, processId, stream: stream.number, stdoutFrom, stderrFrom };
    const summary = await admin.request("process.log", request, { signal });
    if (summary.exit !== undefined) reader.exited(summary.exit);
    yield* reader.chunks(stream, signal);
  } finally {
    ignoreExit();
    if (stream.isOpen) {
      stream.close();
      // Over already, or its connection is: either way nothing reads any more.
      admin
        .request("stream.close", { ...admin.scope, stream: stream.number })
        .catch(() => undefined);
    }
  }
}

/** Puts the frames of both channels into order of arrival, and knows when both are over. */
class LogReader implements FrameReceiver {
  readonly #position: Record<LogChannel, number>;
  readonly #total: Record<LogChannel, number | undefined> = {
    stdout: undefined,
    stderr: undefined,
  };
  readonly #queue: LogChunk[] = [];
  #failure: { reason: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(from: Record<LogChannel, number>) {
    this.#position = { ...from };
  }

  frame({ kind, offset, payload }: StreamFrame): void {
    if (kind === FRAME_KIND.out) this.#accept("stdout", offset, payload);
    else if (kind === FRAME_KIND.err) this.#accept("stderr", offset, payload);
    else if (kind === FRAME_KIND.end)
      this.#total[payload[0] === CHANNEL.stderr ? "stderr" : "stdout"] = offset;
    this.#wake?.();
  }

  closed(reason: AgentOsError): void {
    this.#failure ??= { reason };
    this.#wake?.();
  }

  exited(exit: ProcessExit): void {
    if (!exit.stdoutOpen) this.#total.stdout ??= exit.stdoutBytes;
    if (!exit.stderrOpen) this.#total.stderr ??= exit.stderrBytes;
    this.#wake?.();
  }

  /** Gives credit back for each piece that was taken. */
  async *chunks(stream: VmStream, signal: AbortSignal | undefined): AsyncGenerator<LogChunk, void> {
    const abort = (): void => {
      this.#failure ??= { reason: signal?.reason };
      this.#wake?.();
    };
    signal?.addEventListener("abort", abort, { once: true });
    try {
      for (;;) {
        const chunk = this.#queue.shift();
        if (chunk !== undefined) {
          yield chunk;
          const channel = chunk.channel === "stderr" ? CHANNEL.stderr : CHANNEL.stdout;
          stream.send(encodeAck(stream.number, channel, chunk.offset + chunk.data.byteLength));
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
