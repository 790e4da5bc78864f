import { setTimeout as sleep } from "node:timers/promises";

import type { Block, Encoder, Ending, Frame } from "../formats/wire-format.ts";
import type { ErrorKind } from "../script/http-fault.ts";
import type { ReplyOptions, StopReason } from "../script/reply-options.ts";
import type { ReplyPart, ToolCallPart } from "../script/reply-part.ts";
import { BlockList, type ResolveTool } from "./block-list.ts";

/** Where an answer is written to. */
export interface ReplySink {
  readonly encoder: Encoder;
  readonly closed: AbortSignal;
  /** Of a deltas' pause, in milliseconds; 0 for none. */
  readonly paceMs: number;
  /** Whether frames are sent; else the answer is sent whole at the end. */
  readonly stream: boolean;
  resolveTool: ResolveTool;
  ending(blocks: readonly Block[], stop: StopReason): Ending;
  send(frames: readonly Frame[]): Promise<void>;
  sendWhole(body: Readonly<Record<string, unknown>>): Promise<void>;
  /** The last frames of a stream. */
  finish(frames: readonly Frame[]): Promise<void>;
  /** Sends half of it. */
  sendHalf(frame: Frame): Promise<void>;
  sendRaw(data: string): Promise<void>;
  sendError(kind: ErrorKind, message: string): Promise<void>;
  /** Cuts the connection. */
  cut(): void;
  untilClosed(): Promise<void>;
}

type Spoken = Exclude<ReplyPart, { type: "pause" | Fault["type"] }>;
type Fault = Extract<
  ReplyPart,
  { type: "malformed" | "error" | "drop" | "stall" | "end" | "truncate" }
>;

/** Plays the parts of one reply in order; stops early when the client closes. */
export class ReplyPlayer {
  readonly #sink: ReplySink;
  readonly #options: ReplyOptions;
  readonly #blocks: BlockList;

  constructor(sink: ReplySink, options: ReplyOptions) {
    this.#sink = sink;
    this.#options = options;
    this.#blocks = new BlockList(sink.resolveTool);
  }

  async play(parts: readonly ReplyPart[]): Promise<void> {
    const { encoder, closed } = this.#sink;
    await this.#send(encoder.begin());
    for (const [at, part] of parts.entries()) {
      if (closed.aborted) return;
      if (part.type === "pause") await part.gate.through(closed);
      else if (isSpoken(part)) await this.#speak(part);
      else return await this.#fail(part, parts[at + 1]);
    }
    if (closed.aborted) return;
    const ending = this.#ending();
    const { all } = this.#blocks;
    if (this.#sink.stream) await this.#sink.finish(encoder.finish(all, ending));
    else await this.#sink.sendWhole(encoder.whole(all, ending));
  }

  async #speak(part: Spoken | ToolCallPart): Promise<void> {
    const { encoder, closed } = this.#sink;
    const block = this.#blocks.add(part);
    await this.#send(encoder.open(block));
    for (const piece of part.pieces) {
      await this.#pace();
      if (closed.aborted) return;
      block.content += piece;
      await this.#send(encoder.delta(block, piece));
    }
    await this.#send(encoder.close(block));
  }

  async #pace(): Promise<void> {
    const { closed, paceMs, stream } = this.#sink;
    await this.#options.pacedBy?.through(closed);
    if (paceMs === 0 || !stream) return;
    // Ended early by a client that has gone, which the caller sees.
    await sleep(paceMs, undefined, { signal: closed }).catch(() => {});
  }

  async #fail(part: Fault, next: ReplyPart | undefined): Promise<void> {
    const sink = this.#sink;
    switch (part.type) {
      case "malformed":
        return await sink.sendRaw(part.data);
      case "error":
        if (!sink.stream) return await sink.sendError(part.kind, part.message);
        return await sink.send(sink.encoder.error(part.kind, part.message));
      case "stall":
        return await sink.untilClosed();
      case "truncate":
        return await sink.sendHalf(this.#following(next));
      case "drop":
        if (!sink.stream) await sink.sendHalf(this.#following(undefined));
        return sink.cut();
      case "end":
        return sink.stream ? undefined : await sink.sendRaw("");
    }
  }

  /** The event that would come next, or the body. */
  #following(next: ReplyPart | undefined): Frame {
    const { encoder, stream } = this.#sink;
    const { all } = this.#blocks;
    if (!stream) return { data: encoder.whole(all, this.#ending()) };
    if (next !== undefined && isSpoken(next)) {
      const block = this.#blocks.add(next);
      const [piece = ""] = next.pieces;
      const frame = [...encoder.open(block), ...encoder.delta(block, piece)].at(-1);
      if (frame !== undefined) return frame;
    }
    return encoder.finish(all, this.#ending())[0] ?? { data: {} };
  }

  #ending(): Ending {
    return this.#sink.ending(this.#blocks.all, this.#options.stop ?? this.#blocks.stop);
  }

  async #send(frames: readonly Frame[]): Promise<void> {
    if (this.#sink.stream) await this.#sink.send(frames);
  }
}

function isSpoken(part: ReplyPart): part is Spoken {
  return "pieces" in part;
}
