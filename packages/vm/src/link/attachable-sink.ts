import type { FrameSink } from "@agentos/core";

/** A sink whose reader comes later: nothing is sent to it before, and an end is kept for it. */
export class AttachableSink implements FrameSink {
  #target: FrameSink | undefined;
  #closed: Error | undefined;

  attach(target: FrameSink): void {
    this.#target = target;
    if (this.#closed !== undefined) target.closed(this.#closed);
  }

  frame(frame: Uint8Array): void {
    this.#target?.frame(frame);
  }

  closed(reason: Error): void {
    this.#closed = reason;
    this.#target?.closed(reason);
  }
}
