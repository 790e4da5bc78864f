import type { FrameSource } from "@agentos/core";
import { AgentOsError, decodeFrame, DEFAULTS, encodeFrame, FRAME_KIND } from "@agentos/protocol";

const CHUNK_BYTES = 64 * 1024;

/** What may wait for a program that does not read. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** A process's standard input: as far as the window goes, and on as it is read. */
export class ProcessInput {
  readonly #waiting: Uint8Array[] = [];
  #source: FrameSource | undefined;
  #waitingBytes = 0;
  #sent = 0;
  #taken = 0;
  #state: "open" | "ending" | "ended" = "open";

  attach(source: FrameSource): void {
    this.#source = source;
    this.#advance();
  }

  /** Throws `POOL_EXHAUSTED` where the program is too far behind. */
  write(bytes: Uint8Array): void {
    if (this.#state !== "open") return;
    if (this.#waitingBytes + bytes.byteLength > MAX_WAITING_BYTES)
      throw tooMuch(this.#waitingBytes);
    for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES) {
      this.#waiting.push(bytes.subarray(at, at + CHUNK_BYTES));
    }
    this.#waitingBytes += bytes.byteLength;
    this.#advance();
  }

  /** Nothing follows. */
  end(): void {
    if (this.#state === "open") this.#state = "ending";
    this.#advance();
  }

  /** Whether the frame was about the input. */
  frame(bytes: Uint8Array): boolean {
    const frame = decodeFrame(bytes);
    if (frame?.kind !== FRAME_KIND.inAck) return false;
    this.#taken = Math.max(this.#taken, frame.offset);
    this.#advance();
    return true;
  }

  #advance(): void {
    if (this.#source === undefined || this.#state === "ended") return;
    for (;;) {
      const [chunk] = this.#waiting;
      if (chunk === undefined) break;
      if (this.#sent + chunk.byteLength - this.#taken > DEFAULTS.streamWindowBytes) return;
      this.#waiting.shift();
      this.#waitingBytes -= chunk.byteLength;
      this.#source.send(encodeFrame(FRAME_KIND.dataIn, 0, this.#sent, chunk));
      this.#sent += chunk.byteLength;
    }
    if (this.#state !== "ending") return;
    this.#state = "ended";
    this.#source.send(encodeFrame(FRAME_KIND.eofIn, 0, this.#sent));
  }
}

function tooMuch(waiting: number): AgentOsError<"POOL_EXHAUSTED"> {
  const capacity = MAX_WAITING_BYTES;
  return new AgentOsError("POOL_EXHAUSTED", `the program reads none of its ${waiting} bytes`, {
    limit: "inputBytes",
    capacity,
    waiting,
  });
}
