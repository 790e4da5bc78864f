import { AgentOsError } from "./agent-os-error.ts";
import type { FrameTarget } from "./byte-reader.ts";
import { DEFAULTS } from "./defaults.ts";
import { decodeFrame, encodeFrame, FRAME_KIND } from "./stream-frame.ts";

const CHUNK_BYTES = 64 * 1024;

/** What may wait for a reader that is behind. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** The writing end of a file of a VM or a process's stdin: as far as the window goes, and on as it is read. */
export class ByteWriter {
  readonly #waiting: Uint8Array[] = [];
  readonly #maxWaiting: number;
  #target: FrameTarget | undefined;
  #waitingBytes = 0;
  #sent = 0;
  #taken = 0;
  #state: "open" | "ending" | "ended" = "open";
  #drained = Promise.withResolvers<void>();

  /** `maxWaiting`: bytes beyond the window, 8 MiB by default. `from`: bytes that an earlier writer sent. */
  constructor({
    maxWaiting = MAX_WAITING_BYTES,
    from = 0,
  }: { maxWaiting?: number; from?: number } = {}) {
    this.#maxWaiting = maxWaiting;
    this.#sent = from;
    this.#taken = from;
    this.#drained.resolve();
  }

  /** Resolves once everything that was written is within the window. It may never, where nobody reads: `close` ends that. */
  get drained(): Promise<void> {
    return this.#drained.promise;
  }

  attach(target: FrameTarget): void {
    this.#target = target;
    this.#advance();
  }

  /** Throws `POOL_EXHAUSTED` where the reader is too far behind. After the end: nothing. */
  write(bytes: Uint8Array): void {
    if (this.#state !== "open") return;
    const waiting = this.#waitingBytes + bytes.byteLength;
    if (waiting > this.#maxWaiting) throw tooMuch(waiting, this.#maxWaiting);
    for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES) {
      this.#waiting.push(bytes.subarray(at, at + CHUNK_BYTES));
    }
    if (this.#waitingBytes === 0) this.#drained = Promise.withResolvers<void>();
    this.#waitingBytes = waiting;
    this.#advance();
  }

  /** Nothing follows. */
  end(): void {
    if (this.#state === "open") this.#state = "ending";
    this.#advance();
  }

  /** The other end is gone: what waits is dropped. */
  close(): void {
    this.#state = "ended";
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    this.#drained.resolve();
  }

  /** Whether the frame was about what is written. */
  frame(bytes: Uint8Array): boolean {
    const frame = decodeFrame(bytes);
    if (frame?.kind !== FRAME_KIND.inAck) return false;
    this.#taken = Math.max(this.#taken, frame.offset);
    this.#advance();
    return true;
  }

  #advance(): void {
    if (this.#target === undefined || this.#state === "ended") return;
    for (;;) {
      const [chunk] = this.#waiting;
      if (chunk === undefined) break;
      if (this.#sent + chunk.byteLength - this.#taken > DEFAULTS.streamWindowBytes) return;
      this.#waiting.shift();
      this.#waitingBytes -= chunk.byteLength;
      this.#target.send(encodeFrame(FRAME_KIND.dataIn, 0, this.#sent, chunk));
      this.#sent += chunk.byteLength;
    }
    this.#drained.resolve();
    if (this.#state !== "ending") return;
    this.#state = "ended";
    this.#target.send(encodeFrame(FRAME_KIND.eofIn, 0, this.#sent));
  }
}

function tooMuch(waiting: number, capacity: number): AgentOsError<"POOL_EXHAUSTED"> {
  const message = `of ${waiting} bytes written, none is read: at most ${capacity} wait`;
  return new AgentOsError("POOL_EXHAUSTED", message, { limit: "inputBytes", capacity, waiting });
}
