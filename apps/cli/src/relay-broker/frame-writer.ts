import type { Writable } from "node:stream";

import { V1, type V1Result } from "./v1-requests.ts";
import { V1Error } from "./v1-error.ts";

/** Bytes of one line, its newline not counted: a v1 client's reader dies of 65,537. */
export const LINE_BYTES = 60 * 1024;

/** Writes v1 frames, one a line, and nothing else. */
export class FrameWriter {
  readonly #stream: Writable;
  #seq = 0;

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  /** The answer to a request. One that is too long becomes the error `response_too_large`. */
  answer(type: "hello_ack" | "ok", requestId: string, payload: V1Result): void {
    const line = lineOf({ v: V1, type, request_id: requestId, payload });
    if (Buffer.byteLength(line) <= LINE_BYTES) void this.#write(line);
    else
      this.error(
        requestId,
        new V1Error("response_too_large", `the answer has more than ${LINE_BYTES} bytes`),
      );
  }

  error(requestId: string | null, { code, message, retryable }: V1Error): void {
    const payload = { code, message: message.slice(0, LINE_BYTES / 8), retryable };
    void this.#write(lineOf({ v: V1, type: "error", request_id: requestId, payload }));
  }

  /** Resolves once it has left: who tells much waits for who reads. */
  async event(kind: string, fields: V1Result): Promise<void> {
    this.#seq += 1;
    const payload = { kind, ...fields, seq: this.#seq };
    const line = lineOf({ v: V1, type: "event", payload });
    if (Buffer.byteLength(line) > LINE_BYTES) {
      const fitted = { kind, ...cut(fields, LINE_BYTES / 2), truncated: true, seq: this.#seq };
      await this.#write(lineOf({ v: V1, type: "event", payload: fitted }));
    } else await this.#write(line);
  }

  async #write(line: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    // Nobody reads any more: the end of stdin says so too.
    this.#stream.write(`${line}\n`, () => resolve());
    await promise;
  }
}

function lineOf(frame: object): string {
  return JSON.stringify(frame);
}

/** The fields with their longest texts cut, so that together they have about that many bytes. */
function cut(fields: V1Result, bytes: number): V1Result {
  const texts = Object.values(fields).filter((value) => typeof value === "string");
  // Of one character JSON makes six bytes at most.
  const each = Math.floor(bytes / 6 / Math.max(1, texts.length));
  const short = (value: unknown): unknown => {
    if (typeof value === "string") return value.slice(0, Math.max(256, each));
    return JSON.stringify(value ?? null).length > bytes ? null : value;
  };
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, short(value)]));
}

/** Pieces of a text, each short enough for one line however much of it JSON escapes. */
export function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  const most = Math.floor((LINE_BYTES - 1024) / 6);
  for (let from = 0; from < text.length;) {
    let to = Math.min(text.length, from + most);
    // Not between the halves of one character.
    const code = text.charCodeAt(to - 1);
    if (to < text.length && code >= 0xd800 && code <= 0xdbff) to -= 1;
    pieces.push(text.slice(from, to));
    from = to;
  }
  return pieces;
}
