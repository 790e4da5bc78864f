import type { FrameSink } from "@agentos/core";
import { CHANNEL, encodeFrame, FRAME_HEADER_BYTES, FRAME_KIND } from "@agentos/protocol";

import type { StreamLink } from "../server/stream-link.ts";

/** Bytes of each channel. */
export interface Received {
  readonly stdout: number;
  readonly stderr: number;
}

/** Where a process's frames go: to the one reader that it has now, each byte once and in order. */
export class ProcessReader implements FrameSink {
  readonly #next = { stdout: 0, stderr: 0 };
  readonly #received = { stdout: 0, stderr: 0 };
  #link: StreamLink | undefined;
  /** Called after each acknowledgement of the reader. */
  onAcknowledged: (() => void) | undefined;
  /** Called when the reader needs nothing more of the process. */
  onReleased: (() => void) | undefined;

  /** What the readers have acknowledged, or said to have. */
  get received(): Received {
    return this.#received;
  }

  /** From now on frames go to `link`, whose reader has `received`. The one before gets nothing more. */
  use(link: StreamLink, received: Received): void {
    const previous = this.#link;
    this.#link = link;
    previous?.surrender();
    this.#next.stdout = received.stdout;
    this.#next.stderr = received.stderr;
    this.#noteReceived(received);
    link.onAcknowledged = () => {
      if (this.#link !== link) return;
      this.#noteReceived(link.received);
      this.onAcknowledged?.();
    };
    link.onReleased = () => {
      if (this.#link === link) this.onReleased?.();
      else link.close();
    };
  }

  /** That link got nothing: it is the reader no more. */
  drop(link: StreamLink): void {
    if (this.#link === link) this.#link = undefined;
    link.surrender();
  }

  frame(bytes: Uint8Array): void {
    const kind = bytes[4];
    if (kind === FRAME_KIND.out) this.#data("stdout", bytes);
    else if (kind === FRAME_KIND.err) this.#data("stderr", bytes);
    else if (kind === FRAME_KIND.end) this.#end(bytes);
    else this.#link?.frame(bytes);
  }

  closed(): void {
    this.#link?.closed();
  }

  /** Ends the stream to the reader. */
  close(): void {
    this.#link?.close();
  }

  /** What was under way when the reader changed comes beyond what the new one has: it is sent again. */
  #data(channel: keyof Received, bytes: Uint8Array): void {
    const from = offsetOf(bytes);
    const next = this.#next[channel];
    const end = from + bytes.byteLength - FRAME_HEADER_BYTES;
    if (from > next || end <= next) return;
    this.#next[channel] = end;
    if (from === next) return this.#link?.frame(bytes);
    const payload = bytes.subarray(FRAME_HEADER_BYTES + next - from);
    this.#link?.frame(encodeFrame(bytes[4] ?? 0, 0, next, payload));
  }

  #end(bytes: Uint8Array): void {
    const channel = bytes[FRAME_HEADER_BYTES] === CHANNEL.stderr ? "stderr" : "stdout";
    if (offsetOf(bytes) <= this.#next[channel]) this.#link?.frame(bytes);
  }

  #noteReceived({ stdout, stderr }: Received): void {
    this.#received.stdout = Math.max(this.#received.stdout, stdout);
    this.#received.stderr = Math.max(this.#received.stderr, stderr);
  }
}

function offsetOf(frame: Uint8Array): number {
  return Number(new DataView(frame.buffer, frame.byteOffset).getBigUint64(9, true));
}
