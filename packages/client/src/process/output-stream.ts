import type { Acknowledger } from "./acknowledger.ts";
import type { ByteSink } from "./byte-sink.ts";
import { inOrder } from "./in-order.ts";

/** What a reader wants to hear besides. */
interface OutputStreamHooks {
  /** All has been received, or nothing follows. */
  readonly onSettled: () => void;
  /** The reader left. */
  readonly onCancelled?: () => void;
  /** The first read. */
  readonly onFirstRead?: () => void;
  /** Bytes before the next ones are not to be had. Without it that is a fault. */
  readonly onSkipped?: (bytes: number) => void;
}

/** Received, and not yet consumed. */
interface Piece {
  readonly bytes: Uint8Array;
  /** Its end in the whole stream. */
  readonly end: number;
}

type Controller = ReadableStreamDefaultController<Uint8Array>;

/** One channel as a web stream: credit goes back as the reader consumes, so at most a window waits here. */
export class OutputStream implements ByteSink {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #acknowledger: Acknowledger;
  readonly #hooks: OutputStreamHooks;
  readonly #queue: Piece[] = [];
  #controller: Controller | undefined;
  #received = 0;
  #consumed = 0;
  #total: number | undefined;
  #failure: { reason: unknown } | undefined;
  #wanted: (() => void) | undefined;
  #wasRead = false;
  #state: "open" | "cancelled" | "closed" = "open";

  constructor(acknowledger: Acknowledger, hooks: OutputStreamHooks) {
    this.#acknowledger = acknowledger;
    this.#hooks = hooks;
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        cancel: () => this.#cancel(),
      },
      { highWaterMark: 0 },
    );
  }

  /** Whether nothing more comes: every byte up to the end is here, or it failed. */
  get isComplete(): boolean {
    if (this.#state === "closed" || this.#failure !== undefined) return true;
    return this.#total !== undefined && this.#received >= this.#total;
  }

  /** Throws `PROTOCOL_ERROR` for a gap. Bytes past a known end are dropped. */
  accept(offset: number, payload: Uint8Array): void {
    if (this.isComplete) return;
    this.#skip(offset);
    let bytes = inOrder(this.#received, offset, payload);
    if (this.#total !== undefined) bytes = bytes.subarray(0, this.#total - this.#received);
    if (bytes.byteLength === 0) return;
    this.#received += bytes.byteLength;
    if (this.#state === "cancelled") this.#consume(this.#received);
    else this.#queue.push({ bytes, end: this.#received });
    this.#advance();
  }

  /** Where the next sender goes on: what nobody has read is asked for again, so that a window bounds what waits here. */
  resume(): number {
    if (this.isComplete) return this.#received;
    this.#queue.length = 0;
    this.#received = this.#consumed;
    this.#acknowledger.resumed(this.#consumed);
    return this.#consumed;
  }

  /** The stream has `total` bytes. */
  end(total: number): void {
    this.#total ??= total;
    this.#advance();
  }

  /** Nothing follows, and not because all came. What is here can still be read. */
  fail(reason: unknown): void {
    if (this.isComplete) return;
    this.#failure = { reason };
    this.#wanted?.();
    this.#hooks.onSettled();
  }

  #advance(): void {
    this.#wanted?.();
    if (this.isComplete) this.#hooks.onSettled();
  }

  #skip(offset: number): void {
    const { onSkipped } = this.#hooks;
    if (onSkipped === undefined || offset <= this.#received) return;
    onSkipped(offset - this.#received);
    this.#received = offset;
  }

  async #pull(): Promise<void> {
    if (!this.#wasRead) {
      this.#wasRead = true;
      this.#hooks.onFirstRead?.();
    }
    while (this.#state === "open" && this.#queue.length === 0 && !this.isComplete) {
      await new Promise<void>((resolve) => {
        this.#wanted = resolve;
      });
    }
    this.#wanted = undefined;
    if (this.#state === "open") this.#give();
  }

  #give(): void {
    const piece = this.#queue.shift();
    if (piece !== undefined) {
      this.#controller?.enqueue(piece.bytes);
      this.#consume(piece.end);
    }
    if (this.#queue.length > 0 || !this.isComplete) return;
    // A stream that failed says so once everything before it has been read.
    if (this.#failure !== undefined && piece !== undefined) return;
    this.#state = "closed";
    if (this.#failure === undefined) this.#controller?.close();
    else this.#controller?.error(this.#failure.reason);
  }

  #consume(offset: number): void {
    this.#consumed = offset;
    this.#acknowledger.consumed(offset);
  }

  /** The reader left: what comes is dropped, as by /dev/null, so that the program goes on. */
  #cancel(): void {
    this.#state = "cancelled";
    this.#wanted?.();
    for (const { end } of this.#queue.splice(0)) this.#consume(end);
    this.#hooks.onCancelled?.();
  }
}
