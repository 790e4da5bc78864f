import type { ChannelBytes, FrameSink, LogSource } from "@agentos/core";
import { CHANNEL, decodeFrame, DEFAULTS, FRAME_KIND } from "@agentos/protocol";

import { FakeStream } from "./fake-stream.ts";
import { type LoggedOutput, LogReader } from "./logged-output.ts";

interface FakeLogReaderOptions {
  readonly stdout: LoggedOutput;
  readonly stderr: LoggedOutput;
  readonly from: { stdout: number; stderr: number };
  readonly sink: FrameSink;
  readonly stream: number;
}

/** A reader on both channels of a logged process. */
export class FakeLogReader implements LogSource {
  readonly written: ChannelBytes;
  readonly #stream: FakeStream;
  readonly #stdout: LogReader;
  readonly #stderr: LogReader;

  constructor(options: FakeLogReaderOptions) {
    const stream = new FakeStream(options.sink, options.stream);
    const shared = { stream, windowBytes: DEFAULTS.streamWindowBytes };
    this.#stream = stream;
    this.written = { stdout: options.stdout.total, stderr: options.stderr.total };
    this.#stdout = new LogReader({
      ...shared,
      output: options.stdout,
      kind: FRAME_KIND.out,
      channel: CHANNEL.stdout,
      from: options.from.stdout,
    });
    this.#stderr = new LogReader({
      ...shared,
      output: options.stderr,
      kind: FRAME_KIND.err,
      channel: CHANNEL.stderr,
      from: options.from.stderr,
    });
  }

  send(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame?.kind !== FRAME_KIND.ack) throw new Error("a log reader takes acknowledgements only");
    const reader = frame.payload[0] === CHANNEL.stderr ? this.#stderr : this.#stdout;
    reader.ack(frame.offset);
  }

  close(): void {
    this.#stream.release();
    this.#stdout.close();
    this.#stderr.close();
  }

  /** The VM is gone. */
  lose(reason: Error): void {
    this.#stream.break(reason);
    this.close();
  }
}
