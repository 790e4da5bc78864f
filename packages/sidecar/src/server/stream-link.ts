import type { FrameSink, FrameSource } from "@agentos/core";
import {
  CHANNEL,
  DEFAULTS,
  encodeFrame,
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  setFrameStream,
  type StreamFrame,
} from "@agentos/protocol";

import { BOUNDS } from "../bounds.ts";
import type { OutputMeter } from "../vms/output-meter.ts";

/** errno and step of the frame that tells a client that its stream broke. */
const BROKEN = { errno: 5, step: "stream" };

/** The same of one whose process another request reads on. */
const SURRENDERED = { errno: 114, step: "repeated" };

export interface StreamLinkOptions {
  /** The stream's number on its connection. */
  number: number;
  vmKey: string;
  /** A process's and a terminal's outlive their connection until the lease is over; a file's ends once it is read. `connection`: to a program of the VM. */
  kind: "process" | "terminal" | "file" | "log" | "connection";
  windowBytes: number;
  /** Counts the output of a VM's programs, and says how long it must wait. */
  meter?: OutputMeter | undefined;
  sendFrame: (frame: Uint8Array) => void;
  /** The client broke the stream's rules. */
  violate: (reason: string) => void;
  /** The link is over. */
  onClosed: () => void;
}

/** One stream between a connection and a VM: the same frames, another number. Keeps no bytes once the VM's side is there. */
export class StreamLink implements FrameSink {
  readonly #options: StreamLinkOptions;
  readonly #received = { stdout: 0, stderr: 0 };
  #source: FrameSource | undefined;
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  #endsAt: number | undefined;
  /** By channel. */
  readonly #heldAcks = new Map<number, Uint8Array>();
  #pause: NodeJS.Timeout | undefined;
  #state: "open" | "detached" | "closed" = "open";
  /** Called after each acknowledgement of the client. */
  onAcknowledged: (() => void) | undefined;
  /** Called once the client needs nothing more of what the stream is of; without it the stream just ends. */
  onReleased: (() => void) | undefined;

  constructor(options: StreamLinkOptions) {
    this.#options = options;
  }

  get vmKey(): string {
    return this.#options.vmKey;
  }

  get kind(): StreamLinkOptions["kind"] {
    return this.#options.kind;
  }

  /** What the client has acknowledged of each channel. */
  get received(): Readonly<{ stdout: number; stderr: number }> {
    return this.#received;
  }

  /** From the VM. */
  frame(bytes: Uint8Array): void {
    if (this.#state !== "open") return;
    const kind = bytes[4];
    if (kind === FRAME_KIND.out || kind === FRAME_KIND.err)
      this.#options.meter?.count(bytes.byteLength - FRAME_HEADER_BYTES);
    if (kind === FRAME_KIND.end && this.kind === "file") this.#endsAt = offsetOf(bytes);
    setFrameStream(bytes, this.#options.number);
    for (const frame of this.#fitting(bytes)) this.#options.sendFrame(frame);
    if (kind === FRAME_KIND.fail && this.kind !== "process") this.close();
    this.#closeWhereRead();
  }

  /** From the VM: it is gone, or the stream broke. */
  closed(): void {
    this.#source = undefined;
    this.fail(BROKEN.errno, BROKEN.step);
  }

  /** Tells the client that the stream is over, and why. */
  fail(errno: number, step: string): void {
    if (this.#state === "open") {
      const payload = Buffer.alloc(4 + step.length);
      payload.writeUInt32LE(errno);
      payload.write(step, 4, "latin1");
      this.#options.sendFrame(encodeFrame(FRAME_KIND.fail, this.#options.number, 0, payload));
    }
    this.close();
  }

  /** From the client. */
  receive(frame: StreamFrame, bytes: Uint8Array): void {
    if (frame.kind === FRAME_KIND.release) return this.#release();
    if (frame.kind === FRAME_KIND.ack) {
      this.#acknowledged(frame);
      if (this.#holds(bytes)) return;
    }
    if (this.#source !== undefined) this.#source.send(bytes);
    else this.#keep(bytes, frame.payload.byteLength);
    this.#closeWhereRead();
  }

  /** The VM's side is there: what came early goes first. */
  attach(source: FrameSource): void {
    if (this.#state === "closed") return source.close();
    this.#source = source;
    for (const bytes of this.#early) source.send(bytes);
    this.#early = [];
    this.#closeWhereRead();
  }

  /** The connection is lost: what still comes stays in the VM, unacknowledged. */
  detach(): void {
    if (this.#state === "open") this.#state = "detached";
  }

  /** Another reader has it now: the client is told, and what the VM holds stays for the other one. */
  surrender(): void {
    this.#forgetHeld();
    this.#source = undefined;
    this.fail(SURRENDERED.errno, SURRENDERED.step);
  }

  /** Ends the stream and frees what the VM holds for it. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#forgetHeld();
    this.#early = [];
    this.#source?.close();
    this.#source = undefined;
    this.#options.onClosed();
  }

  /** A VM's frame may be longer than a connection's message by its header. */
  #fitting(bytes: Uint8Array): readonly Uint8Array[] {
    if (bytes.byteLength <= DEFAULTS.maxFrameBytes) return [bytes];
    const payload = bytes.subarray(FRAME_HEADER_BYTES);
    const half = Math.ceil(payload.byteLength / 2);
    const [kind = 0, offset] = [bytes[4], offsetOf(bytes)];
    const part = (from: number, to: number): Uint8Array =>
      encodeFrame(kind, this.#options.number, offset + from, payload.subarray(from, to));
    return [part(0, half), part(half, payload.byteLength)];
  }

  /** Whether an acknowledgement waits: its program is not to write so soon. Of each channel the last one says all. */
  #holds(bytes: Uint8Array): boolean {
    const pauseMs = this.#options.meter?.pauseMs ?? 0;
    if (pauseMs === 0 || this.#source === undefined) return false;
    this.#heldAcks.set(bytes[FRAME_HEADER_BYTES] ?? 0, bytes);
    this.#pause ??= setTimeout(() => this.#goOn(), pauseMs);
    return true;
  }

  #goOn(): void {
    this.#pause = undefined;
    const pauseMs = this.#options.meter?.pauseMs ?? 0;
    if (pauseMs > 0) {
      this.#pause = setTimeout(() => this.#goOn(), pauseMs);
      return;
    }
    for (const bytes of this.#heldAcks.values()) this.#source?.send(bytes);
    this.#heldAcks.clear();
  }

  #forgetHeld(): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#heldAcks.clear();
  }

  #release(): void {
    if (this.onReleased === undefined) this.close();
    else this.onReleased();
  }

  #acknowledged({ payload, offset }: StreamFrame): void {
    const channel = payload[0] === CHANNEL.stderr ? "stderr" : "stdout";
    this.#received[channel] = Math.max(this.#received[channel], offset);
    this.onAcknowledged?.();
  }

  #keep(bytes: Uint8Array, payloadBytes: number): void {
    if (this.#state !== "open") return;
    this.#earlyBytes += payloadBytes;
    if (this.#earlyBytes > this.#options.windowBytes || this.#early.length >= BOUNDS.earlyFrames) {
      return this.#options.violate(
        `stream ${this.#options.number}: more than its window before it began`,
      );
    }
    this.#early.push(bytes);
  }

  /** A file that is read to its end needs its stream no more. */
  #closeWhereRead(): void {
    if (this.#source === undefined || this.#endsAt === undefined) return;
    if (this.#received.stdout >= this.#endsAt) this.close();
  }
}

function offsetOf(frame: Uint8Array): number {
  return Number(new DataView(frame.buffer, frame.byteOffset).getBigUint64(9, true));
}
