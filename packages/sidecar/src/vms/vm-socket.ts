import { Duplex } from "node:stream";
import { getSystemErrorMap } from "node:util";

import type { FrameSink, FrameSource, VmIncoming, VmNetwork, VmPort } from "@agentos/core";
import {
  CHANNEL,
  decodeFrame,
  DEFAULTS,
  encodeAck,
  encodeFrame,
  FRAME_KIND,
} from "@agentos/protocol";

/** What a driver gives a connection each way, and so what may be on its way unacknowledged. */
const WINDOW_BYTES = DEFAULTS.streamWindowBytes;
const FRAME_BYTES = 64 * 1024;

/** Bytes of one `write`, as far as they were sent. */
interface Writing {
  readonly bytes: Uint8Array;
  at: number;
  readonly done: () => void;
}

/**
 * A connection with a program of a VM, as a duplex stream of Node's. It is half open: either side may
 * end alone. Destroying it before its end resets the connection; a reset of the program destroys it
 * with an error that has the code `ECONNRESET`. A slow reader holds one window and the stream's own
 * buffer, then the program waits.
 *
 * What takes any duplex stream takes this. A server inside the sidecar that programs of the VM reach:
 *
 * ```text
 * const server = http.createServer(handler);
 * const door = await vm.handle.network.open({ port: 4100 }, (incoming) => {
 *   server.emit("connection", VmSocket.accept(incoming));
 * });
 * ```
 *
 * and a client of a program that listens in the VM: `http.request({ createConnection: () => socket })`
 * with `socket = await VmSocket.connect(network, { port: 3000 }, { signal })`.
 */
export class VmSocket extends Duplex {
  readonly #sink: FrameSink = {
    frame: (frame) => this.#frame(frame),
    closed: (reason) => this.destroy(reason),
  };
  #source: FrameSource | undefined;
  #received = 0;
  #acknowledged = 0;
  #sent = 0;
  #taken = 0;
  #writing: Writing | undefined;
  #finishing: (() => void) | undefined;

  private constructor() {
    super({ allowHalfOpen: true });
  }

  /** Takes a connection that a program made to a door. */
  static accept(incoming: VmIncoming): VmSocket {
    const socket = new VmSocket();
    socket.#source = incoming.accept(socket.#sink);
    return socket;
  }

  /** Rejects as `VmNetwork.connect` says. */
  static async connect(
    network: VmNetwork,
    to: VmPort,
    options: { signal: AbortSignal },
  ): Promise<VmSocket> {
    const socket = new VmSocket();
    const source = await network.connect(to, socket.#sink, options);
    // What ended before its first byte.
    if (socket.destroyed) source.close();
    socket.#source = source;
    socket.#acknowledge();
    return socket;
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

  /** Resolved by the program's kernel having everything, so that closing loses nothing. */
  override _final(done: () => void): void {
    this.#source?.send(encodeFrame(FRAME_KIND.eofIn, 0, this.#sent));
    this.#finishing = done;
    this.#wasTaken(this.#taken);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#source?.close();
    done(error);
  }

  #frame(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame === undefined || this.destroyed) return;
    const { kind, offset, payload } = frame;
    if (kind === FRAME_KIND.out) {
      this.#received = offset + payload.byteLength;
      if (this.push(payload)) this.#acknowledge();
    } else if (kind === FRAME_KIND.end) this.push(null);
    else if (kind === FRAME_KIND.inAck) this.#wasTaken(offset);
    else if (kind === FRAME_KIND.fail) this.destroy(connectionError(payload));
  }

  #acknowledge(): void {
    if (this.#acknowledged === this.#received || this.#source === undefined) return;
    this.#acknowledged = this.#received;
    this.#source.send(encodeAck(0, CHANNEL.stdout, this.#received));
  }

  #wasTaken(offset: number): void {
    this.#taken = Math.max(this.#taken, offset);
    this.#pump();
    if (this.#taken < this.#sent) return;
    const finishing = this.#finishing;
    this.#finishing = undefined;
    finishing?.();
  }

  #pump(): void {
    const writing = this.#writing;
    if (writing === undefined) return;
    while (writing.at < writing.bytes.byteLength) {
      const room = Math.min(FRAME_BYTES, this.#taken + WINDOW_BYTES - this.#sent);
      if (room <= 0) return;
      const part = writing.bytes.subarray(writing.at, writing.at + room);
      this.#source?.send(encodeFrame(FRAME_KIND.dataIn, 0, this.#sent, part));
      writing.at += part.byteLength;
      this.#sent += part.byteLength;
    }
    this.#writing = undefined;
    writing.done();
  }
}

/** A FAIL frame's `u32 errno, string step`. */
function connectionError(payload: Uint8Array): Error {
  const errno = new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getUint32(
    0,
    true,
  );
  const [code, text] = getSystemErrorMap().get(-errno) ?? [`E${errno}`, "unknown"];
  const step = Buffer.from(payload.subarray(4)).toString("latin1");
  return Object.assign(new Error(`the program's connection failed: ${step} ${code} (${text})`), {
    code,
  });
}
