import { CHANNEL, decodeFrame, encodeAck, FRAME_KIND } from "./stream-frame.ts";

/** What is made of the bytes of one channel, in order. */
export type TakeBytes = (bytes: Uint8Array, channel: "stdout" | "stderr") => void;

/** Where a stream's frames for the VM go. */
export interface FrameTarget {
  send(frame: Uint8Array): void;
}

export interface ByteReaderOptions {
  /** Bytes that an earlier reader had. */
  readonly from?: { readonly stdout: number; readonly stderr: number };
  /** stdout is acknowledged by `acknowledge` only. Default false. */
  readonly keepsStdout?: boolean;
}

/** The reading end of a process or file of a VM: hands bytes on and acknowledges them at once, so that nothing piles up in the VM or here. */
export class ByteReader {
  readonly #take: TakeBytes;
  readonly #isFile: boolean;
  readonly #received = { stdout: 0, stderr: 0 };
  readonly #keepsStdout: boolean;
  readonly #ended = Promise.withResolvers<void>();
  readonly #waiting: Uint8Array[] = [];
  #totals: { stdout: number; stderr: number } | undefined;
  #target: FrameTarget | undefined;

  constructor(
    take: TakeBytes,
    kind: "file" | "process",
    { from, keepsStdout = false }: ByteReaderOptions = {},
  ) {
    this.#take = take;
    Object.assign(this.#received, from);
    this.#keepsStdout = keepsStdout;
    this.#isFile = kind === "file";
    // Who never waits for the end has learned of the failure elsewhere.
    this.#ended.promise.catch(() => undefined);
  }

  /** Resolves when the file has ended, or all of `until` is here. Rejects when the stream breaks. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Where acknowledgements go; frames that came before it wait for it. */
  attach(target: FrameTarget): void {
    this.#target = target;
    for (const frame of this.#waiting.splice(0)) this.frame(frame);
  }

  /** The VM may forget stdout up to here. */
  acknowledge(stdout: number): void {
    this.#target?.send(encodeAck(0, CHANNEL.stdout, stdout));
  }

  /** A process has ended: nothing follows these. */
  until(totals: { stdout: number; stderr: number }): void {
    this.#totals = totals;
    this.#check();
  }

  frame(bytes: Uint8Array): void {
    if (this.#target === undefined) {
      this.#waiting.push(bytes);
      return;
    }
    const frame = decodeFrame(bytes);
    if (frame?.kind === FRAME_KIND.out) this.#bytes("stdout", frame.offset, frame.payload);
    else if (frame?.kind === FRAME_KIND.err) this.#bytes("stderr", frame.offset, frame.payload);
    else if (frame?.kind === FRAME_KIND.end) this.#end(frame.payload, frame.offset);
  }

  closed(reason: Error): void {
    this.#ended.reject(reason);
  }

  #bytes(channel: "stdout" | "stderr", offset: number, payload: Uint8Array): void {
    // What was sent again is here already; a logged process may have lost what lies between.
    const fresh = payload.subarray(Math.max(0, this.#received[channel] - offset));
    this.#received[channel] = Math.max(this.#received[channel], offset + payload.byteLength);
    if (fresh.byteLength > 0) this.#take(fresh, channel);
    if (channel === "stderr" || !this.#keepsStdout)
      this.#target?.send(encodeAck(0, CHANNEL[channel], this.#received[channel]));
    this.#check();
  }

  #check(): void {
    const { stdout, stderr } = this.#totals ?? { stdout: Infinity, stderr: Infinity };
    if (this.#received.stdout >= stdout && this.#received.stderr >= stderr) this.#ended.resolve();
  }

  #end(payload: Uint8Array, total: number): void {
    const channel = payload[0] ?? CHANNEL.stdout;
    this.#target?.send(encodeAck(0, channel, total));
    // A file has one channel; a process says its totals when it exits.
    if (this.#isFile) this.#ended.resolve();
  }
}
