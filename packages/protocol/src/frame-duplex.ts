import { Duplex } from "node:stream";
import { getSystemErrorMap } from "node:util";

import { DEFAULTS } from "./defaults.ts";
import { CHANNEL, FRAME_KIND, type StreamFrame } from "./stream-frame.ts";

const WINDOW_BYTES = DEFAULTS.streamWindowBytes;
const CHUNK_BYTES = 64 * 1024;

/** The other direction of a connection's stream. */
export interface FrameSender {
  send(kind: number, offset: number, payload?: Uint8Array): void;
  /** Ends the stream. Harmless when it is over. */
  close(): void;
}

/** Bytes of one write, as far as they were sent. */
interface Writing {
  readonly bytes: Uint8Array;
  at: number;
  readonly done: () => void;
}

/**
 * A connection with a program of a VM, from its frames, as a duplex stream of Node's. It is half open:
 * either side may end alone. Destroying it before its end resets the connection; a reset of the
 * program's destroys it with an error that has the code `ECONNRESET`. A slow reader holds one window
 * and the stream's own buffer, then the program waits.
 */
export class FrameDuplex extends Duplex {
  #sender: FrameSender | undefined;
  #received = 0;
  #acknowledged = 0;
  #sent = 0;
  #taken = 0;
  #writing: Writing | undefined;
  #finishing: (() => void) | undefined;

  constructor() {
    super({ allowHalfOpen: true });
  }

  /** The stream is open: what was written before it goes now. */
  attach(sender: FrameSender): void {
    if (this.destroyed) return sender.close();
    this.#sender = sender;
    this.#acknowledge();
    this.#pump();
    if (this.#finishing !== undefined) this.#sendEnd();
  }

  /** A frame of the program's side. */
  receive({ kind, offset, payload }: Pick<StreamFrame, "kind" | "offset" | "payload">): void {
    if (this.destroyed) return;
    if (kind === FRAME_KIND.out) {
      this.#received = offset + payload.byteLength;
      if (this.push(payload)) this.#acknowledge();
    } else if (kind === FRAME_KIND.end) this.push(null);
    else if (kind === FRAME_KIND.inAck) this.#wasTaken(offset);
    else if (kind === FRAME_KIND.fail) this.destroy(connectionError(payload));
  }

  /** Destroys it once everything that was written has been taken; what `net.Socket` does. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }

  override _read(): void {
    this.#acknowledge();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.#writing = { bytes: chunk, at: 0, done };
    this.#pump();
  }

  override _writev(chunks: Array<{ chunk: Uint8Array }>, done: () => void): void {
    this.#writing = { bytes: Buffer.concat(chunks.map(({ chunk }) => chunk)), at: 0, done };
    this.#pump();
  }

  /** Done when the program's kernel has everything, so that closing loses nothing. */
  override _final(done: () => void): void {
    this.#finishing = done;
    if (this.#sender !== undefined) this.#sendEnd();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#sender?.close();
    done(error);
  }

  #acknowledge(): void {
    if (this.#acknowledged === this.#received || this.#sender === undefined) return;
    this.#acknowledged = this.#received;
    this.#sender.send(FRAME_KIND.ack, this.#received, Uint8Array.of(CHANNEL.stdout));
  }

  #sendEnd(): void {
    this.#sender?.send(FRAME_KIND.eofIn, this.#sent);
    this.#wasTaken(this.#taken);
  }

  #wasTaken(offset: number): void {
    this.#taken = Math.max(this.#taken, Math.min(offset, this.#sent));
    this.#pump();
    if (this.#taken < this.#sent) return;
    const finishing = this.#finishing;
    this.#finishing = undefined;
    finishing?.();
  }

  #pump(): void {
    const [sender, writing] = [this.#sender, this.#writing];
    if (sender === undefined || writing === undefined) return;
    while (writing.at < writing.bytes.byteLength) {
      const room = Math.min(CHUNK_BYTES, this.#taken + WINDOW_BYTES - this.#sent);
      if (room <= 0) return;
      const part = writing.bytes.subarray(writing.at, writing.at + room);
      sender.send(FRAME_KIND.dataIn, this.#sent, part);
      writing.at += part.byteLength;
      this.#sent += part.byteLength;
    }
    this.#writing = undefined;
    writing.done();
  }
}

/** A FAIL frame's `u32 errno, string step`. */
function connectionError(payload: Uint8Array): Error {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const errno = bytes.byteLength < 4 ? 5 : bytes.readUInt32LE(0);
  const [code, text] = getSystemErrorMap().get(-errno) ?? [`E${errno}`, "unknown"];
  const message = `the program's connection failed: ${bytes.toString("latin1", 4)} ${code} (${text})`;
  return Object.assign(new Error(message), { code });
}
