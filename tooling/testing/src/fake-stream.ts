import type { FrameSink } from "@agentos/core";
import { encodeFrame, FRAME_KIND } from "@agentos/protocol";

/** The fake VM's end of one stream. Frames arrive at the sink in order and never during the call that caused them. */
export class FakeStream {
  readonly #sink: FrameSink;
  readonly #id: number;
  #open = true;

  constructor(sink: FrameSink, id: number) {
    this.#sink = sink;
    this.#id = id;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  emit(kind: number, offset: number, payload?: Uint8Array): void {
    const frame = encodeFrame(kind, this.#id, offset, payload);
    queueMicrotask(() => {
      if (this.#open) this.#sink.frame(frame);
    });
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
