import { AgentOsError } from "@agentos/protocol";

import { RELAY_BOUNDS } from "../relay-bounds.ts";

/** Texts that come in pieces, because one request has no room for them. */
export class Drafts {
  readonly #texts = new Map<string, string>();
  #chars = 0;

  /** The next piece; one that is there already is passed over. Throws `INVALID_ARGUMENT` where one is missing. */
  append({ messageId, offset, text }: { messageId: string; offset: number; text: string }): void {
    const before = this.#texts.get(messageId) ?? "";
    if (offset < before.length) return;
    if (offset > before.length) throw missing(before.length, offset);
    this.#set(messageId, before + text);
    // Those that were begun and never sent go first.
    for (const [oldest] of this.#texts) {
      const isWithin =
        this.#texts.size <= RELAY_BOUNDS.drafts && this.#chars <= RELAY_BOUNDS.draftBytes;
      if (isWithin || oldest === messageId) break;
      this.take(oldest);
    }
  }

  /** The whole text, which is forgotten. */
  take(messageId: string): string | undefined {
    const text = this.#texts.get(messageId);
    this.#chars -= text?.length ?? 0;
    this.#texts.delete(messageId);
    return text;
  }

  #set(messageId: string, text: string): void {
    this.#chars += text.length - (this.#texts.get(messageId)?.length ?? 0);
    this.#texts.set(messageId, text);
  }
}

function missing(expected: number, actual: number): AgentOsError<"INVALID_ARGUMENT"> {
  const message = `offset: expected ${expected}, got ${actual}`;
  const details = { argument: "offset", expected: String(expected), actual: String(actual) };
  return new AgentOsError("INVALID_ARGUMENT", message, details);
}
