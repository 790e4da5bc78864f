import type { FrameSink, FrameSource } from "@agentos/core";
import { CHANNEL, decodeFrame, encodeAck, FRAME_KIND, type StreamFrame } from "@agentos/protocol";

/** Keeps the frames of one stream and, attached to a source, acknowledges them at once. */
export class RecordingSink implements FrameSink {
  readonly frames: StreamFrame[] = [];
  /** Resolves with why, when the stream breaks. */
  readonly broken: Promise<Error>;
  readonly #broken = Promise.withResolvers<Error>();
  #source: FrameSource | undefined;
  #change = Promise.withResolvers<void>();

  constructor() {
    this.broken = this.#broken.promise;
  }

  /** What came on stdout, or as a file's bytes. */
  get stdout(): Buffer {
    return this.#bytes(FRAME_KIND.out);
  }

  get stderr(): Buffer {
    return this.#bytes(FRAME_KIND.err);
  }

  /** Acknowledges what came and everything that will come. */
  attach(source: FrameSource): void {
    this.#source = source;
    for (const frame of this.frames) this.#acknowledge(frame);
  }

  frame(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame === undefined) throw new Error("the sink got bytes that are not one frame");
    this.frames.push(frame);
    this.#acknowledge(frame);
    this.#notify();
  }

  closed(reason: Error): void {
    this.#broken.resolve(reason);
    this.#notify();
  }

  /** Resolves when `condition` holds; asked again at every frame. */
  async until(condition: (sink: this) => boolean): Promise<void> {
    while (!condition(this)) await this.#change.promise;
  }

  /** Resolves at END of the channel. */
  async ended(channel: number = CHANNEL.stdout): Promise<void> {
    await this.until(({ frames }) =>
      frames.some(({ kind, payload }) => kind === FRAME_KIND.end && payload[0] === channel),
    );
  }

  #bytes(kind: number): Buffer {
    const payloads = this.frames.filter((frame) => frame.kind === kind);
    return Buffer.concat(payloads.map(({ payload }) => payload));
  }

  #acknowledge({ kind, stream, offset, payload }: StreamFrame): void {
    if (kind !== FRAME_KIND.out && kind !== FRAME_KIND.err) return;
    const channel = kind === FRAME_KIND.out ? CHANNEL.stdout : CHANNEL.stderr;
    this.#source?.send(encodeAck(stream, channel, offset + payload.byteLength));
  }

  #notify(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }
}
