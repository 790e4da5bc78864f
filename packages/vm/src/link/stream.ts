import { constants } from "node:os";

import type { FrameSink, FrameSource } from "@agentos/core";
import {
  type AgentOsError,
  CHANNEL,
  decodeFrame,
  DEFAULTS,
  encodeFrame,
  FRAME_HEADER_BYTES,
  FRAME_MAX_PAYLOAD_BYTES,
} from "@agentos/protocol";

import { type Failure, readFailure } from "./failure.ts";
import { u32, u64 } from "./fields.ts";
import { HeldInput } from "./held-input.ts";
import { deadlineExceeded, type Link, type LinkStream, type Reply, unexpected } from "./link.ts";
import { LINK_KIND } from "./link-kinds.ts";
import type { StreamCredit } from "./stream-credit.ts";
import { violation } from "./violation.ts";

/** Bytes of each channel that a reader has. */
export interface Received {
  stdout: number;
  stderr: number;
}

/** opening -> open -> closed; a stream without an answer of its own begins open. */
type StreamState = "opening" | "open" | "closed";

/** What is particular to one kind of stream. */
export interface StreamHooks {
  /** The kind that answers the opening request; undefined where nothing does. */
  readonly opening?: number;
  /** The number of a stream that an earlier sidecar opened. */
  readonly adopted?: number;
  /** A frame that is not for the sink. False: it should not have come. */
  readonly other?: (kind: number, frame: Uint8Array) => boolean;
  /** A FAIL after the opening. True: it is not for the sink. */
  readonly failed?: (failure: Failure) => boolean;
  /** The stream ended before its time. */
  readonly closed?: (reason: Error | undefined) => void;
}

/** A RESUME that the VM has not answered. */
interface PendingResume {
  readonly received: Received;
  readonly answered: PromiseWithResolvers<Failure | undefined>;
}

/** A stream whose data frames go to a sink, and from a source back, within its windows. */
export class Stream implements LinkStream, FrameSource {
  readonly number: number;
  readonly #link: Link;
  readonly #sink: FrameSink;
  readonly #credit: StreamCredit;
  readonly #hooks: StreamHooks;
  readonly #opened = Promise.withResolvers<Reply>();
  readonly #input = new HeldInput(FRAME_MAX_PAYLOAD_BYTES);
  /** While there are any, what comes is for the reader before, and will come again. */
  readonly #resuming: PendingResume[] = [];
  #state: StreamState;

  constructor(link: Link, sink: FrameSink, credit: StreamCredit, hooks: StreamHooks) {
    this.#link = link;
    this.#sink = sink;
    this.#credit = credit;
    this.#hooks = hooks;
    this.#state = hooks.opening === undefined ? "open" : "opening";
    // The stream may be closed before anybody waits.
    this.#opened.promise.catch(() => {});
    if (hooks.adopted !== undefined) link.adopt(hooks.adopted, this);
    this.number = hooks.adopted ?? link.open(this);
  }

  /** Sends the opening request. Rejects with `VM_ENDED` or `DEADLINE_EXCEEDED`; a FAIL is an answer. */
  async open(kind: number, payload: Uint8Array, operation: string): Promise<Reply> {
    const deadlineMs = DEFAULTS.requestMs;
    const timer = setTimeout(() => {
      this.#opened.reject(deadlineExceeded(operation, deadlineMs));
      // Nothing of it may start later.
      this.#link.kill(this.number);
      this.close();
    }, deadlineMs);
    this.#link.send(kind, this.number, payload);
    try {
      return await this.#opened.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Sending goes on from what the reader has. Resolves with the failure where the VM refuses that;
   * rejects with `VM_ENDED`, the stream's end, or `DEADLINE_EXCEEDED`.
   */
  async resume(received: Received): Promise<Failure | undefined> {
    if (this.#link.endedBy !== undefined) throw this.#link.endedBy;
    if (this.#state === "closed") throw new Error("the stream is closed");
    const answered = Promise.withResolvers<Failure | undefined>();
    this.#resuming.push({ received, answered });
    const payload = Buffer.concat([u64(received.stdout), u64(received.stderr)]);
    this.#link.send(LINK_KIND.resume, this.number, payload);
    const deadlineMs = DEFAULTS.requestMs;
    const timer = setTimeout(() => {
      answered.reject(deadlineExceeded("process.resume", deadlineMs));
    }, deadlineMs);
    try {
      return await answered.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  frame(kind: number, offset: number, frame: Uint8Array): void {
    if (this.#state === "opening") this.#answer(kind, frame);
    else if (kind === LINK_KIND.resumed) this.#resumed(undefined);
    else if (kind === LINK_KIND.fail && this.#failed(frame)) return;
    else if (this.#admit(kind, offset, frame)) this.#deliver(kind, frame);
    else if (this.#hooks.other?.(kind, frame) !== true) throw unexpected(kind);
  }

  closed(reason: AgentOsError<"VM_ENDED">): void {
    this.#finish(reason);
    this.#sink.closed(reason);
  }

  /** Throws `PROTOCOL_ERROR` for bytes that are no frame of a stream. */
  send(frame: Uint8Array): void {
    const parsed = decodeFrame(frame);
    if (parsed === undefined) throw violation("expected a whole frame from the client");
    if (this.#state === "closed") return;
    const { kind, offset, payload } = parsed;
    if (kind === LINK_KIND.ack) {
      // An acknowledgement of what never came is worth nothing, and vmd would have to judge it.
      if (this.#credit.acknowledge(payload[0] ?? 0, offset)) this.#link.forward(frame, this.number);
    } else if (kind === LINK_KIND.dataIn || kind === LINK_KIND.eofIn) {
      this.#sendInput(kind, offset, frame);
    } else {
      throw violation(`expected data, its end or an acknowledgement, got 0x${kind.toString(16)}`);
    }
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#link.send(LINK_KIND.release, this.number);
    this.#link.forget(this.number);
    this.#finish(undefined);
  }

  /** The VM's side is over and holds nothing any more. */
  forget(): void {
    this.#link.forget(this.number);
    this.#state = "closed";
  }

  /** Tells the sink that nothing follows. */
  breakOff(reason: Error): void {
    this.#sink.closed(reason);
  }

  #sendInput(kind: number, offset: number, frame: Uint8Array): void {
    if (!this.#credit.knowsStdin) {
      if (!this.#input.hold(frame)) this.#refuse("stdin-window");
      return;
    }
    const bytes = frame.byteLength - FRAME_HEADER_BYTES;
    if (kind === LINK_KIND.dataIn && !this.#credit.input(offset, bytes)) {
      this.#refuse("stdin-window");
    } else this.#link.forward(frame, this.number);
  }

  #answer(kind: number, frame: Uint8Array): void {
    if (kind === LINK_KIND.fail) {
      this.forget();
      this.#opened.resolve({ ok: false, failure: readFailure(frame) });
    } else if (kind === this.#hooks.opening) {
      this.#state = "open";
      this.#opened.resolve({ ok: true, payload: frame.subarray(FRAME_HEADER_BYTES) });
    } else throw unexpected(kind);
  }

  /** Whether the FAIL was for somebody else than the sink. */
  #failed(frame: Uint8Array): boolean {
    const failure = readFailure(frame);
    if (failure.step !== "resume") return this.#hooks.failed?.(failure) === true;
    this.#resumed(failure);
    return true;
  }

  #resumed(failure: Failure | undefined): void {
    const resume = this.#resuming.shift();
    if (resume === undefined) throw unexpected(LINK_KIND.resumed);
    if (failure === undefined) this.#credit.resume(resume.received);
    resume.answered.resolve(failure);
  }

  #deliver(kind: number, frame: Uint8Array): void {
    if (kind === LINK_KIND.inAck) for (const held of this.#input.release()) this.send(held);
    if (this.#resuming.length === 0) this.#sink.frame(frame);
  }

  /** Whether the frame is one for the sink, and within what its sender may. */
  #admit(kind: number, offset: number, frame: Uint8Array): boolean {
    const bytes = frame.byteLength - FRAME_HEADER_BYTES;
    if (kind === LINK_KIND.out) this.#credit.output(CHANNEL.stdout, offset, bytes);
    else if (kind === LINK_KIND.err) this.#credit.output(CHANNEL.stderr, offset, bytes);
    else if (kind === LINK_KIND.inAck) this.#credit.inputTaken(offset);
    else return kind === LINK_KIND.end || kind === LINK_KIND.fail;
    return true;
  }

  #refuse(step: string): void {
    const payload = Buffer.concat([u32(constants.errno.ERANGE), Buffer.from(step)]);
    this.#sink.frame(encodeFrame(LINK_KIND.fail, this.number, 0, payload));
  }

  #finish(reason: Error | undefined): void {
    if (this.#state === "opening") {
      this.#opened.reject(reason ?? new Error("the stream was closed before it was open"));
    }
    this.#state = "closed";
    for (const { answered } of this.#resuming.splice(0)) {
      answered.reject(reason ?? new Error("the stream was closed before it went on"));
    }
    this.#hooks.closed?.(reason);
  }
}
