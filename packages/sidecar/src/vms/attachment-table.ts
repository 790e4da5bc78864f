import type { AdoptedAttachment } from "@agentos/core";

import { TerminalAttachment } from "./terminal-attachment.ts";

/** Who reads and writes the terminals of one VM. */
export class AttachmentTable {
  readonly #known = new Map<string, TerminalAttachment>();

  find(attachmentId: string): TerminalAttachment | undefined {
    return this.#known.get(attachmentId);
  }

  add(identity: {
    attachmentId: string;
    terminalId: string;
    leaseId: string | undefined;
  }): TerminalAttachment {
    const added = new TerminalAttachment(identity, (closed) => {
      if (this.#known.get(closed.attachmentId) === closed) this.#known.delete(closed.attachmentId);
    });
    this.#known.set(identity.attachmentId, added);
    return added;
  }

  /** Those that an adopted VM has: their clients have a lease's grace to come back. */
  restore(adopted: readonly AdoptedAttachment[]): void {
    for (const found of adopted) {
      const { attachmentId, processId, attachment } = found;
      const restored = this.add({ attachmentId, terminalId: processId, leaseId: undefined });
      found.attach(restored);
      restored.opened(attachment);
    }
  }

  /** Nobody came back for them: they hold no terminal up any more. */
  endUnclaimed(): void {
    for (const attachment of this.#all()) if (attachment.leaseId === undefined) attachment.close();
  }

  /** The lease is over, unless the same holder has another one. */
  leaseEnded(leaseId: string, successor: string | undefined): void {
    for (const attachment of this.#all()) {
      if (attachment.leaseId !== leaseId) continue;
      if (successor === undefined) attachment.close();
      else attachment.leaseId = successor;
    }
  }

  #all(): TerminalAttachment[] {
    return [...this.#known.values()];
  }
}
