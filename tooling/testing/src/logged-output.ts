import type { FakeStream } from "./fake-stream.ts";

const ERANGE = 34;
const FRAME_PAYLOAD_BYTES = 64 * 1024;

/** One output channel of a logged process: the last bytes, kept for any number of readers. */
export class LoggedOutput {
  readonly #ringBytes: number;
  readonly #readers = new Set<LogReader>();
  #kept = Buffer.alloc(0);
  #total = 0;
  #ended = false;

  constructor(ringBytes: number) {
    this.#ringBytes = ringBytes;
  }

  get total(): number {
    return this.#total;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Never waits: the oldest bytes go. */
  write(bytes: Uint8Array): Promise<void> {
    this.#kept = Buffer.concat([this.#kept, bytes]);
    this.#kept = this.#kept.subarray(Math.max(0, this.#kept.byteLength - this.#ringBytes));
    this.#total += bytes.byteLength;
    this.#wakeReaders();
    return Promise.resolve();
  }

  end(): void {
    this.#ended = true;
    this.#wakeReaders();
  }

  drop(): void {
    this.#readers.clear();
  }

  /** Its readers have offsets of their own; the process's stream carries none of its bytes. */
  canResume(offset: number): boolean {
    return offset <= this.#total;
  }

  resume(): void {}

  addReader(reader: LogReader): void {
    this.#readers.add(reader);
    reader.pump();
  }

  removeReader(reader: LogReader): void {
    this.#readers.delete(reader);
  }

  /** The kept bytes at `from` or the oldest after it, at most `most`. */
  read(from: number, most: number): { offset: number; bytes: Uint8Array } {
    const oldest = this.#total - this.#kept.byteLength;
    const offset = Math.max(from, oldest);
    return { offset, bytes: this.#kept.subarray(offset - oldest, offset - oldest + most) };
  }

  #wakeReaders(): void {
    for (const reader of this.#readers) reader.pump();
  }
}

export interface LogReaderOptions {
  readonly output: LoggedOutput;
  readonly stream: FakeStream;
  readonly kind: number;
  readonly channel: number;
  readonly windowBytes: number;
  readonly from: number;
}

/** One reader of one channel, with credit of its own. */
export class LogReader {
  readonly #options: LogReaderOptions;
  #sent: number;
  #acked: number;
  #ended = false;

  constructor(options: LogReaderOptions) {
    this.#options = options;
    this.#sent = options.from;
    this.#acked = options.from;
    options.output.addReader(this);
  }

  ack(offset: number): void {
    if (offset > this.#sent) return this.#options.stream.fail(ERANGE, "ack");
    this.#acked = Math.max(this.#acked, offset);
    this.pump();
  }

  close(): void {
    this.#options.output.removeReader(this);
  }

  pump(): void {
    const { output, stream, kind, channel, windowBytes } = this.#options;
    if (this.#ended) return;
    for (;;) {
      const credit = this.#acked + windowBytes - this.#sent;
      const { offset, bytes } = output.read(this.#sent, Math.min(credit, FRAME_PAYLOAD_BYTES));
      if (credit <= 0 || bytes.byteLength === 0) break;
      // A gap costs no credit: those bytes are never sent.
      this.#acked += offset - this.#sent;
      stream.emit(kind, offset, bytes);
      this.#sent = offset + bytes.byteLength;
    }
    if (!output.ended || this.#sent < output.total) return;
    this.#ended = true;
    stream.end(channel, output.total);
  }
}
