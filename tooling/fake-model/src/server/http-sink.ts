import type { Encoder, Ending, Frame, Framing, Block } from "../formats/wire-format.ts";
import type { ErrorKind } from "../script/http-fault.ts";
import type { ReplyOptions, StopReason } from "../script/reply-options.ts";
import type { BodyWriter } from "./body-writer.ts";
import type { ResolveTool } from "./block-list.ts";
import type { Exchange } from "./exchange.ts";
import type { ReplySink } from "./play-reply.ts";

/** What a sink is made of. */
export interface HttpSinkParts {
  readonly exchange: Exchange;
  readonly writer: BodyWriter;
  readonly encoder: Encoder;
  readonly framing: Framing;
  readonly options: ReplyOptions;
  readonly headers: Readonly<Record<string, string>>;
  readonly stream: boolean;
  readonly paceMs: number;
  readonly resolveTool: ResolveTool;
  readonly ending: (blocks: readonly Block[], stop: StopReason) => Ending;
  readonly sendError: (kind: ErrorKind, message: string) => Promise<void>;
}

/** Writes an answer as an HTTP response. */
export class HttpSink implements ReplySink {
  readonly #parts: HttpSinkParts;
  #first = true;

  constructor(parts: HttpSinkParts) {
    this.#parts = parts;
  }

  get encoder(): Encoder {
    return this.#parts.encoder;
  }

  get closed(): AbortSignal {
    return this.#parts.exchange.closed;
  }

  get paceMs(): number {
    return this.#parts.paceMs;
  }

  get stream(): boolean {
    return this.#parts.stream;
  }

  /** Sends the headers of a stream at once, as providers do. */
  async start(): Promise<void> {
    if (!this.stream) return;
    this.#head(this.#parts.framing.contentType);
    this.#parts.exchange.response.flushHeaders();
    await this.#parts.writer.write(this.#parts.framing.start);
  }

  resolveTool: ResolveTool = (part) => this.#parts.resolveTool(part);

  ending(blocks: readonly Block[], stop: StopReason): Ending {
    return this.#parts.ending(blocks, stop);
  }

  async send(frames: readonly Frame[]): Promise<void> {
    for (const frame of frames) await this.#parts.writer.write(this.#frame(frame));
  }

  async sendWhole(body: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#body(JSON.stringify(this.#withExtra(body)));
  }

  async finish(frames: readonly Frame[]): Promise<void> {
    await this.send(frames);
    await this.#parts.writer.write(this.#parts.framing.end);
  }

  async sendHalf(frame: Frame): Promise<void> {
    const written = this.stream ? this.#frame(frame) : JSON.stringify(frame.data);
    await this.#body(written.slice(0, Math.ceil(written.length / 2)));
  }

  async sendRaw(data: string): Promise<void> {
    await this.#body(this.stream ? this.#parts.framing.write({ data }, this.#first) : data);
  }

  async sendError(kind: ErrorKind, message: string): Promise<void> {
    await this.#parts.sendError(kind, message);
  }

  cut(): void {
    this.#parts.exchange.cut();
  }

  async untilClosed(): Promise<void> {
    await this.#parts.exchange.untilClosed();
  }

  async #body(text: string): Promise<void> {
    if (!this.stream) this.#head("application/json");
    await this.#parts.writer.write(text);
  }

  #head(contentType: string): void {
    const { exchange, options, headers } = this.#parts;
    exchange.response.writeHead(200, {
      ...headers,
      ...options.headers,
      "content-type": options.contentType ?? contentType,
    });
  }

  #frame(frame: Frame): string {
    const { event, data } = frame;
    const extended = typeof data === "string" ? data : this.#withExtra(data);
    const first = this.#first;
    this.#first = false;
    const written = event === undefined ? { data: extended } : { event, data: extended };
    return this.#parts.framing.write(written, first);
  }

  #withExtra(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    return { ...body, ...this.#parts.options.extraFields };
  }
}
