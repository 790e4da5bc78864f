import {
  AgentOsError,
  CHANNEL,
  type ChannelBytes,
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
import { type ProcessEnd, processEnd } from "./process-end.ts";
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

/** Where the reading of a log ended. */
export interface LogEnd {
  /** Positions among all that the process wrote. */
  readonly stdout: number;
  readonly stderr: number;
  /** How the process had ended by then; undefined: it runs on. */
  readonly exit: ProcessEnd | undefined;
}

export interface LogOptions {
  /** Where to begin. Default: the oldest byte kept. */
  stdoutFrom?: number | undefined;
  stderrFrom?: number | undefined;
  /** False: ends at what had been written when it was asked for. Default true: at the process's end. */
  follow?: boolean | undefined;
  /** Ends the reading with `CANCELLED`. */
  signal?: AbortSignal | undefined;
}

const Options = z.strictObject({
  stdoutFrom: z.int().min(0).optional(),
  stderrFrom: z.int().min(0).optional(),
  follow: z.boolean().optional(),
  signal: z.instanceof(AbortSignal).optional(),
});

/** Reads a logged process's output, as one of many readers. */
export async function* readLog(
  admin: VmAdmin,
  processId: string,
  options: LogOptions,
): AsyncGenerator<LogChunk, LogEnd, void> {
  const { signal, ...from } = parseArgument(Options, options, "options");
  const reader = new LogReader(admin, processId, from);
  try {
    yield* reader.chunks(signal);
    return reader.end;
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
  readonly #follow: boolean;
  /** What was there when it was first asked for. */
  #written: ChannelBytes | undefined;
  #exit: ProcessEnd | undefined;
  readonly #ignoreExit: () => void;
  #failure: { reason: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(
    admin: VmAdmin,
    processId: string,
    { stdoutFrom = 0, stderrFrom = 0, follow = true }: Omit<LogOptions, "signal">,
  ) {
    this.#follow = follow;
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
      ({ exit, written }) => this.#opened(exit, written),
      (error: unknown) => {
        if (!isLost(error, connection)) this.#fail(error);
      },
    );
  }

  /** Where it has got to. */
  get end(): LogEnd {
    return { ...this.#position, exit: this.#exit };
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
  async *chunks(signal: AbortSignal | undefined): AsyncGenerator<LogChunk, void, void> {
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

  #opened(exit: ProcessExit | undefined, written: ChannelBytes | undefined): void {
    this.#written ??= written;
    if (exit !== undefined) this.#exited(exit);
    if (!this.#follow && written === undefined) this.#fail(cannotTell());
    this.#wake?.();
  }

  #exited(exit: ProcessExit): void {
    this.#exit = processEnd(exit, false);
    if (!exit.stdoutOpen) this.#total.stdout ??= exit.stdoutBytes;
    if (!exit.stderrOpen) this.#total.stderr ??= exit.stderrBytes;
    this.#wake?.();
  }

  #fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#wake?.();
  }

  #isOver(): boolean {
    const until = this.#follow ? this.#total : (this.#written ?? this.#total);
    const { stdout, stderr } = until;
    if (stdout === undefined || stderr === undefined) return false;
    return this.#position.stdout >= stdout && this.#position.stderr >= stderr;
  }

  async #arrival(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}

function cannotTell(): AgentOsError<"UNSUPPORTED"> {
  const what = "reading a log up to now";
  const instead = "follow it to its end";
  return new AgentOsError("UNSUPPORTED", `the VM's driver has no ${what}: ${instead}`, {
    what,
    instead,
  });
}
