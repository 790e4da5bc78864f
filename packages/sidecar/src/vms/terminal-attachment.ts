import type { FrameSink, FrameSource, VmAttachment } from "@agentos/core";

import type { StreamLink } from "../server/stream-link.ts";

/** One reader or writer of a terminal, over as many connections as its client needs. */
export class TerminalAttachment implements FrameSink, FrameSource {
  readonly attachmentId: string;
  readonly terminalId: string;
  /** Undefined: of an earlier life, and nobody has asked for it in this one. */
  leaseId: string | undefined;
  readonly #opened = Promise.withResolvers<VmAttachment>();
  readonly #onClosed: (attachment: TerminalAttachment) => void;
  #source: VmAttachment | undefined;
  #link: StreamLink | undefined;
  #state: "open" | "closed" = "open";

  constructor(
    identity: { attachmentId: string; terminalId: string; leaseId: string | undefined },
    onClosed: (attachment: TerminalAttachment) => void,
  ) {
    this.attachmentId = identity.attachmentId;
    this.terminalId = identity.terminalId;
    this.leaseId = identity.leaseId;
    this.#onClosed = onClosed;
    // Only a repeated request waits for it.
    this.#opened.promise.catch(() => undefined);
  }

  /** Its frames go to `link` from now on. The one before gets nothing more. */
  use(link: StreamLink): void {
    const previous = this.#link;
    this.#link = link;
    previous?.surrender();
  }

  /** The VM's side is there. */
  opened(source: VmAttachment): void {
    this.#source = source;
    this.#opened.resolve(source);
    if (this.#state === "closed") source.close();
    else this.#link?.attach(this);
  }

  /** Goes on over another connection, whose client has received this much. */
  async readOn(link: StreamLink, received: number): Promise<void> {
    const source = await this.#opened.promise;
    this.use(link);
    // First: what is under way is the previous connection's, and comes again.
    const resumed = source.resume(received);
    link.attach(this);
    await resumed;
  }

  frame(bytes: Uint8Array): void {
    this.#link?.frame(bytes);
  }

  /** The VM is gone. */
  closed(): void {
    this.#link?.closed();
    this.close();
  }

  send(frame: Uint8Array): void {
    this.#source?.send(frame);
  }

  /** Frees what the VM holds for it. The terminal goes on. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#opened.reject(new Error("the attachment was closed before it was open"));
    this.#link?.close();
    this.#source?.close();
    this.#onClosed(this);
  }
}
