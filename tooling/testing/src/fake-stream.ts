import type { FrameSink } from "@agentos/core";
import { encodeFrame, FRAME_KIND } from "@agentos/protocol";

/** The fake VM's end of one stream. Frames arrive at the sink in order and never during the call that caused them. */
export class FakeStream {
  #sink: FrameSink;
  readonly #id: number;
  #open = true;
  /** Frames of an earlier one are on their way to a reader who is gone. */
  #life = 0;

  constructor(sink: FrameSink, id: number) {
    this.#sink = sink;
    this.#id = id;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  emit(kind: number, offset: number, payload?: Uint8Array): void {
    const frame = encodeFrame(kind, this.#id, offset, payload);
    const life = this.#life;
    queueMicrotask(() => {
      if (this.#open && life === this.#life) this.#sink.frame(frame);
    });
  }

  /** Frames go to another reader, once `restart` has been called. */
  attach(sink: FrameSink): void {
    this.#sink = sink;
  }

  /** What is on its way is for nobody: it will be sent again. */
  restart(): void {
    this.#life += 1;
  }

  end(channel: number, total: number): void {
    this.emit(FRAME_KIND.end, total, Uint8Array.of(channel));
  }

  fail(errno: number, step: string): void {
    const payload = Buffer.alloc(4 + step.length);
    payload.writeUInt32LE(errno);
    payload.write(step, 4, "latin1");
    this.emit(FRAME_KIND.fail, 0, payload);
  }

  /** The reader left: nothing more is said. */
  release(): void {
    this.#open = false;
  }

  /** The VM is gone: the sink hears of it, once. */
  break(reason: Error): void {
    if (!this.#open) return;
    this.#open = false;
    this.#sink.closed(reason);
  }
}
