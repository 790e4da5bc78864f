import { Duplex } from "node:stream";

import type { FrameSink, FrameSource } from "@agentos/core";
import { type AgentOsError, CHANNEL, decodeFrame, DEFAULTS, FRAME_KIND } from "@agentos/protocol";

import type { Losable } from "./fake-file-streams.ts";
import { FakeStream } from "./fake-stream.ts";

const ECONNRESET = 104;

interface Writing {
  bytes: Uint8Array;
  readonly done: () => void;
}

/** A connection of a fake VM: `program` is the program's socket, frames are the sidecar's end. */
export class FakeConnection implements FrameSource, Losable {
  readonly program: Duplex;
  readonly #stream: FakeStream;
  readonly #onClose: () => void;
  #sent = 0;
  #acknowledged = 0;
  #received = 0;
  #taken = 0;
  #writing: Writing | undefined;
  #hasEnded = false;
  #wasEnded = false;

  constructor(sink: FrameSink, stream: number, onClose: (connection: FakeConnection) => void) {
    this.#stream = new FakeStream(sink, stream);
    this.#onClose = () => onClose(this);
    this.program = new Duplex({
      read: () => this.#take(),
      write: (chunk: Uint8Array, _encoding, done) => {
        this.#writing = { bytes: chunk, done: () => done() };
        this.#pump();
      },
      final: (done) => {
        this.#hasEnded = true;
        this.#stream.end(CHANNEL.stdout, this.#sent);
        done();
      },
      destroy: (error, done) => {
        if (!this.#hasEnded || !this.#wasEnded) this.#stream.fail(ECONNRESET, "read");
        done(error);
      },
    });
    // A reset is told to who listens.
    this.program.on("error", () => {});
  }

  send(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame === undefined) throw new Error("not one frame");
    const { kind, offset, payload } = frame;
    if (kind === FRAME_KIND.ack) {
      this.#acknowledged = Math.max(this.#acknowledged, offset);
      this.#pump();
    } else if (kind === FRAME_KIND.eofIn) {
      this.#wasEnded = true;
      this.program.push(null);
    } else if (kind === FRAME_KIND.dataIn) {
      if (offset !== this.#received) throw new Error(`bytes at ${offset}, not ${this.#received}`);
      this.#received += payload.byteLength;
      if (this.#received - this.#taken > DEFAULTS.streamWindowBytes) throw new Error("no credit");
      if (this.program.push(payload.slice())) this.#take();
    }
  }

  close(): void {
    if (!this.#stream.isOpen) return;
    this.#stream.release();
    if (!this.#wasEnded) this.program.destroy(resetError());
    this.#onClose();
  }

  lose(reason: AgentOsError): void {
    this.#stream.break(reason);
    this.program.destroy(reason);
  }

  #take(): void {
    if (this.#taken === this.#received) return;
    this.#taken = this.#received;
    this.#stream.emit(FRAME_KIND.inAck, this.#taken);
  }

  #pump(): void {
    const writing = this.#writing;
    if (writing === undefined) return;
    while (writing.bytes.byteLength > 0) {
      const room = this.#acknowledged + DEFAULTS.streamWindowBytes - this.#sent;
      if (room <= 0) return;
      const part = writing.bytes.subarray(0, room);
      this.#stream.emit(FRAME_KIND.out, this.#sent, part);
      this.#sent += part.byteLength;
      writing.bytes = writing.bytes.subarray(part.byteLength);
    }
    this.#writing = undefined;
    writing.done();
  }
}

/** What a program sees of a connection that was refused or cut. */
export function resetError(): Error {
  return Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
}
