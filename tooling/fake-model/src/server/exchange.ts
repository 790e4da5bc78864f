import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";

import type { Outcome } from "../journal/journal-entry.ts";

/** One request and its response, and how they end. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly #closed = new AbortController();
  #cut = false;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request;
    this.response = response;
    response.on("close", () => this.#closed.abort());
    // A client that goes away in the middle of our writing; `close` tells of it.
    response.on("error", () => {});
  }

  /** Aborts when nothing can be sent any more. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  get outcome(): Outcome {
    if (this.#cut) return "cut";
    if (!this.closed.aborted) return "open";
    return this.response.writableFinished ? "finished" : "aborted";
  }

  /** Closes the connection in the middle; the client sees all that was written before. */
  cut(): void {
    this.#cut = true;
    // A reset would take from the client what it has not read yet.
    this.request.socket.destroySoon();
  }

  /** Resets the connection; what the client has not read yet is lost to it. */
  reset(): void {
    this.#cut = true;
    this.request.socket.resetAndDestroy();
  }

  /** Ends the body; resolves when it has left or the client has closed. */
  async end(): Promise<void> {
    if (this.closed.aborted) return;
    this.response.end();
    await this.untilClosed();
  }

  async untilClosed(): Promise<void> {
    if (this.closed.aborted) return;
    await once(this.closed, "abort");
  }
}
