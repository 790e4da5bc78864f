import type { Socket } from "node:net";

import {
  AgentOsError,
  DEFAULTS,
  encodeFrame,
  FRAME_HEADER_BYTES,
  isAgentOsError,
  setFrameStream,
  WriteBatch,
} from "@agentos/protocol";

import { type Failure, readFailure } from "./failure.ts";
import { u32 } from "./fields.ts";
import { FrameReader } from "./frame-reader.ts";
import { LINK_KIND, LINK_VERSION, VM_KINDS } from "./link-kinds.ts";
import { violation } from "./violation.ts";

/** Streams open at once on one link; vmd itself allows fewer. */
const MAX_LINK_STREAMS = 4096;

const HANG_UP_MS = 5_000;
const LAST_STREAM = 0xffff_ffff;
const SIGKILL = 9;

/** What the link routes the frames of one stream number to. */
export interface LinkStream {
  /** A frame, header included. Throwing `PROTOCOL_ERROR` ends the link. */
  frame(kind: number, offset: number, frame: Uint8Array): void;
  /** The link ended: no frame follows. */
  closed(reason: AgentOsError<"VM_ENDED">): void;
}

/** The answer to one request. */
export type Reply =
  | { readonly ok: true; readonly payload: Uint8Array }
  | { readonly ok: false; readonly failure: Failure };

export interface LinkRequest {
  kind: number;
  payload?: Uint8Array;
  /** The kind of the answer. */
  answer: number;
  /** For the error of a missed deadline. */
  operation: string;
  /** Default `DEFAULTS.requestMs`. */
  deadlineMs?: number;
  /** Whether a missed deadline stops the work in the VM. Default false. */
  cancels?: boolean;
  /** Goes also while the link is held. Default false. */
  urgent?: boolean;
}

/** open -> closed, once. */
type LinkState = "open" | "closed";

/**
 * The one connection with a VM's PID 1. It picks stream numbers, routes frames to their streams and
 * believes nothing: what breaks docs/vmd-link.md ends the link, and with it everything on it.
 */
export class Link {
  /** For people, in errors; a pooled VM gets its user's at the hand-off. */
  vmId: string;
  /** Of docs/vmd-link.md, the VM's. */
  version = LINK_VERSION;
  /** Which of the walls that not every kernel has are up: bits. */
  walls = 0;
  /** Resolves, never rejects, with why the link ended. */
  readonly closed: Promise<AgentOsError<"VM_ENDED">>;
  /** Resolves once the connection is closed, by both ends unless it was cut. */
  readonly disconnected: Promise<void>;
  readonly #socket: Socket;
  readonly #batch: WriteBatch;
  readonly #reader = new FrameReader(VM_KINDS, (...frame) => this.#route(...frame));
  readonly #streams = new Map<number, LinkStream>();
  readonly #closing = Promise.withResolvers<AgentOsError<"VM_ENDED">>();
  readonly #disconnected = Promise.withResolvers<void>();
  #reason: AgentOsError<"VM_ENDED"> | undefined;
  #state: LinkState = "open";
  /** What waits while the link is held; bounded by the streams' windows and the callers' deadlines. */
  #held: Uint8Array[] | undefined;
  #nextStream = 1;
  #droppedFrames = 0;
  #wasClosedByPeer = false;

  /** Stream 0, the handshake's and the table's, is `control`'s. */
  constructor(vmId: string, socket: Socket, control: LinkStream) {
    this.vmId = vmId;
    this.closed = this.#closing.promise;
    this.disconnected = this.#disconnected.promise;
    this.#socket = socket;
    this.#batch = new WriteBatch(socket);
    this.#streams.set(0, control);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    // Half open: without an end of ours the socket would never close.
    socket.on("end", () => socket.end());
    socket.on("error", (error) => {
      this.#wasClosedByPeer = this.#state === "open";
      this.#close(`the connection failed: ${error.message}`);
    });
    socket.on("close", () => {
      this.#wasClosedByPeer ||= this.#state === "open";
      this.#close("its agent closed the connection");
      this.#disconnected.resolve();
    });
  }

  /** Frames for streams that nobody holds any more: those under way when a stream was released. */
  get droppedFrames(): number {
    return this.#droppedFrames;
  }

  /** Whether it ended from the VM's side: its PID 1 is gone, or listens to another sidecar. */
  get wasClosedByPeer(): boolean {
    return this.#wasClosedByPeer;
  }

  /** The error of everything that is tried after the end, else undefined. */
  get endedBy(): AgentOsError<"VM_ENDED"> | undefined {
    return this.#reason;
  }

  /** Numbers at and below are never picked: an earlier sidecar used them. */
  skipStreams(highest: number): void {
    this.#nextStream = Math.max(this.#nextStream, highest + 1);
  }

  /** Registers a stream under a new number. Throws `VM_ENDED` or `POOL_EXHAUSTED`. */
  open(stream: LinkStream): number {
    if (this.#reason !== undefined) throw this.#reason;
    if (this.#streams.size >= MAX_LINK_STREAMS || this.#nextStream > LAST_STREAM) {
      const limit = this.#streams.size >= MAX_LINK_STREAMS ? "open streams" : "stream numbers";
      throw new AgentOsError("POOL_EXHAUSTED", `the VM has no ${limit} left`, {
        limit,
        capacity: limit === "open streams" ? MAX_LINK_STREAMS : LAST_STREAM,
        waiting: 0,
      });
    }
    const number = this.#nextStream++;
    this.#streams.set(number, stream);
    return number;
  }

  /** Registers a stream that an earlier sidecar opened under this number. Throws `VM_ENDED`. */
  adopt(number: number, stream: LinkStream): void {
    if (this.#reason !== undefined) throw this.#reason;
    this.skipStreams(number);
    this.#streams.set(number, stream);
  }

  /** The stream is over: frames that still come are dropped. */
  forget(number: number): void {
    this.#streams.delete(number);
  }

  /** Sends one frame; nothing once the link is closed. */
  send(kind: number, stream: number, payload?: Uint8Array, offset = 0): void {
    if (this.#state === "open") this.#write(encodeFrame(kind, stream, offset, payload));
  }

  /** From now on what is not urgent waits, so that nothing begins in the VM. */
  hold(): void {
    this.#held ??= [];
  }

  /** What waited goes, in its order. */
  unhold(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    if (this.#state === "open") for (const frame of held) this.#write(frame);
  }

  /** Sends a whole frame as it is, but for its stream number. */
  forward(frame: Uint8Array, stream: number): void {
    if (this.#state !== "open") return;
    setFrameStream(frame, stream);
    this.#write(frame);
  }

  /** Asks once. Rejects with `VM_ENDED` or `DEADLINE_EXCEEDED`; a FAIL is an answer. */
  async request(request: LinkRequest): Promise<Reply> {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const number = this.open({
      frame: (kind, _offset, frame) => {
        if (kind !== request.answer && kind !== LINK_KIND.fail) throw unexpected(kind);
        this.forget(number);
        if (kind === LINK_KIND.fail) resolve({ ok: false, failure: readFailure(frame) });
        else resolve({ ok: true, payload: frame.subarray(FRAME_HEADER_BYTES) });
      },
      closed: reject,
    });
    const deadlineMs = request.deadlineMs ?? DEFAULTS.requestMs;
    const timer = setTimeout(() => {
      this.forget(number);
      if (request.cancels === true) this.kill(number);
      reject(deadlineExceeded(request.operation, deadlineMs));
    }, deadlineMs);
    if (request.urgent === true && this.#state === "open")
      this.#put(encodeFrame(request.kind, number, 0, request.payload));
    else this.send(request.kind, number, request.payload);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** SIGKILL to what the stream stands for, its whole session where it is a process. */
  kill(stream: number): void {
    this.send(LINK_KIND.signal, stream, Buffer.concat([u32(SIGKILL), Uint8Array.of(2)]));
  }

  /** A signal to every process of the VM but PID 1, also while the link is held. */
  signalAll(signal: number): void {
    if (this.#state !== "open") return;
    const payload = Buffer.concat([u32(signal), Uint8Array.of(3)]);
    this.#put(encodeFrame(LINK_KIND.signal, 0, 0, payload));
  }

  /** Cuts the connection; `reason` goes to everything that still waits on it. */
  end(reason: string): void {
    this.#close(reason);
  }

  /** The same, but the other end gets to see what was sent: `disconnected` tells when it closed too. */
  hangUp(reason: string): void {
    if (this.#state === "closed") return;
    const timer = setTimeout(() => this.#socket.destroy(), HANG_UP_MS);
    void this.disconnected.finally(() => clearTimeout(timer));
    this.#socket.end();
    this.#finish(reason);
  }

  #write(frame: Uint8Array): void {
    if (this.#held === undefined) this.#put(frame);
    else this.#held.push(frame);
  }

  #put(frame: Uint8Array): void {
    this.#batch.join();
    this.#socket.write(frame);
  }

  #read(chunk: Uint8Array): void {
    if (this.#state !== "open") return;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      // Whatever failed, this VM's link can't be trusted to be in step any more.
      this.#close(isAgentOsError(error, "PROTOCOL_ERROR") ? error.details.reason : String(error));
    }
  }

  #route(kind: number, stream: number, offset: number, frame: Uint8Array): void {
    const target = this.#streams.get(kind === LINK_KIND.tableEntry ? 0 : stream);
    if (target === undefined) this.#droppedFrames += 1;
    else target.frame(kind, offset, frame);
  }

  #close(reason: string): void {
    if (this.#state === "closed") return;
    this.#socket.destroy();
    this.#finish(reason);
  }

  #finish(reason: string): void {
    this.#state = "closed";
    const error = vmEnded(this.vmId, reason);
    this.#reason = error;
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream.closed(error);
    this.#closing.resolve(error);
  }
}

/** A frame of a kind that its stream doesn't have. */
export function unexpected(kind: number): AgentOsError<"PROTOCOL_ERROR"> {
  return violation(`a frame of kind 0x${kind.toString(16)} came where none is expected`);
}

function vmEnded(vmId: string, reason: string): AgentOsError<"VM_ENDED"> {
  return new AgentOsError("VM_ENDED", `VM ${vmId} has ended: ${reason}`, { vmId, reason });
}

/** The VM did not answer in time. */
export function deadlineExceeded(
  operation: string,
  deadlineMs: number,
): AgentOsError<"DEADLINE_EXCEEDED"> {
  return new AgentOsError(
    "DEADLINE_EXCEEDED",
    `${operation}: expected an answer of the VM within ${deadlineMs} ms`,
    { operation, deadlineMs },
  );
}
