import type { MessagePort } from "node:worker_threads";

import { FRAME_HEADER_BYTES, writeFrameHeader } from "@agentos/protocol";

import type { GuestMessage } from "../guest-message.ts";

/** The worker's way to the driver. */
export class Post {
  readonly #port: MessagePort;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  send(message: GuestMessage): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- A port has none.
    this.#port.postMessage(message);
  }

  /** One frame of a stream. The payload is copied. */
  frame(stream: number, kind: number, offset: number, payload?: Uint8Array): void {
    // Not from Buffer's pool: the memory itself goes over.
    const frame = new Uint8Array(FRAME_HEADER_BYTES + (payload?.byteLength ?? 0));
    writeFrameHeader(frame, kind, stream, offset, payload?.byteLength ?? 0);
    if (payload !== undefined) frame.set(payload, FRAME_HEADER_BYTES);
    const message: GuestMessage = { kind: "frame", stream, frame };
    this.#port.postMessage(message, [frame.buffer]);
  }
}
