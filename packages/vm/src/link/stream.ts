import { constants } from "node:os";

import type { FrameSink, FrameSource } from "@agentos/core";
import {
  type AgentOsError,
  CHANNEL,
  decodeFrame,
  DEFAULTS,
  encodeFrame,
  FRAME_HEADER_BYTES,
} from "@agentos/protocol";

import { type Failure, readFailure } from "./failure.ts";
import { u32 } from "./fields.ts";
import { deadlineExceeded, type Link, type LinkStream, type Reply, unexpected } from "./link.ts";
import { LINK_KIND } from "./link-kinds.ts";
import type { StreamCredit } from "./stream-credit.ts";
import { violation } from "./violation.ts";

/** opening -> open -> closed; a stream without an answer of its own begins open. */
type StreamState = "opening" | "open" | "closed";

/** What is particular to one kind of stream. */
export interface StreamHooks {
  /** The kind that answers the opening request; undefined where nothing does. */
  readonly opening?: number;
  /** A frame that is not for the sink. False: it should not have come. */
  readonly other?: (kind: number, frame: Uint8Array) => boolean;
  /** A FAIL after the opening. True: it is not for the sink. */
  readonly failed?: (failure: Failure) => boolean;
  /** The stream ended before its time. */
  readonly closed?: (reason: Error | undefined) => void;
}

/** A stream whose data frames go to a sink, and from a source back, within its windows. */
export class Stream implements LinkStream, FrameSource {
  readonly number: number;
  readonly #link: Link;
  readonly #sink: FrameSink;
  readonly #credit: StreamCredit;
  readonly #hooks: StreamHooks;
  readonly #opened = Promise.withResolvers<Reply>();
  #state: StreamState;

  constructor(link: Link, sink: FrameSink, credit: StreamCredit, hooks: StreamHooks) {
    this.#link = link;
    this.#sink = sink;
    this.#credit = credit;
    this.#hooks = hooks;
    this.#state = hooks.opening === undefined ? "open" : "opening";
    // The stream may be closed before anybody waits.
    this.#opened.promise.catch(() => {});
    this.number = link.open(this);
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

  frame(kind: number, offset: number, frame: Uint8Array): void {
    if (this.#state === "opening") this.#answer(kind, frame);
    else if (kind === LINK_KIND.fail && this.#hooks.failed?.(readFailure(frame)) === true) return;
    else if (this.#admit(kind, offset, frame)) this.#sink.frame(frame);
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
      if (!this.#credit.acknowledge(payload[0] ?? 0, offset)) return;
    } else if (kind === LINK_KIND.dataIn) {
      if (!this.#credit.input(offset, payload.byteLength)) {
        this.#refuse("stdin-window");
        return;
      }
    } else if (kind !== LINK_KIND.eofIn) {
      throw violation(`expected data, its end or an acknowledgement, got 0x${kind.toString(16)}`);
    }
    this.#link.forward(frame, this.number);
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

  #answer(kind: number, frame: Uint8Array): void {
    if (kind === LINK_KIND.fail) {
      this.forget();
      this.#opened.resolve({ ok: false, failure: readFailure(frame) });
    } else if (kind === this.#hooks.opening) {
      this.#state = "open";
      this.#opened.resolve({ ok: true, payload: frame.subarray(FRAME_HEADER_BYTES) });
    } else throw unexpected(kind);
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
    this.#state = "closed";
    this.#opened.reject(reason ?? new Error("the stream was closed before it was open"));
    this.#hooks.closed?.(reason);
  }
}
