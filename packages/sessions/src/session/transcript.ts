import type { SessionStore } from "@agentos/core";
import { AgentOsError, DEFAULTS, type SessionEvent } from "@agentos/protocol";

import { SESSION_BOUNDS } from "./session-bounds.ts";

export interface ReadRequest {
  readonly after: number;
  readonly limit?: number | undefined;
  /** Default 0. */
  readonly waitMs?: number | undefined;
}

interface Reader {
  readonly after: number;
  readonly limit: number;
  readonly done: (events: readonly SessionEvent[]) => void;
}

export interface TranscriptOptions {
  readonly key: string;
  readonly store: Pick<SessionStore, "events">;
  readonly lastSeq: number;
  readonly clock: { after(ms: number, callback: () => void): () => void };
}

/** A session's events for its readers, each with a cursor of its own. They are told once the store has them. */
export class Transcript {
  readonly #options: TranscriptOptions;
  readonly #readers = new Set<Reader>();
  #lastSeq: number;

  constructor(options: TranscriptOptions) {
    this.#options = options;
    this.#lastSeq = options.lastSeq;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** These are stored: whoever waits is told. */
  stored(events: readonly SessionEvent[]): void {
    const first = events[0]?.seq;
    if (first === undefined) return;
    this.#lastSeq = events.at(-1)?.seq ?? this.#lastSeq;
    const size = sizeOf(events);
    for (const reader of this.#readers) {
      // What is at hand is what the store would say, unless the reader is further behind or it is too much.
      const isAtHand = reader.after === first - 1 && events.length <= reader.limit;
      const isFit = isAtHand && size <= DEFAULTS.eventBatchBytes;
      const batch = isFit ? events : this.#batch(reader.after, reader.limit);
      if (batch.length > 0) reader.done(batch);
    }
  }

  /** The events after a seq: at once where there are any, else the next ones within `waitMs`. */
  async read(request: ReadRequest, signal: AbortSignal): Promise<readonly SessionEvent[]> {
    const { after, limit = SESSION_BOUNDS.batchEntries, waitMs = 0 } = request;
    const found = this.#batch(after, limit);
    if (found.length > 0 || waitMs === 0) return found;
    signal.throwIfAborted();
    return await this.#wait({ after, limit, waitMs }, signal);
  }

  /** Nothing will follow: whoever waits gets what there is, nothing. */
  release(): void {
    for (const reader of this.#readers) reader.done([]);
  }

  #batch(after: number, limit: number): readonly SessionEvent[] {
    if (after >= this.#lastSeq) return [];
    const { store, key } = this.#options;
    return store.events(key, { after, limit, maxBytes: DEFAULTS.eventBatchBytes });
  }

  async #wait(
    { after, limit, waitMs }: Required<ReadRequest> & { limit: number; waitMs: number },
    signal: AbortSignal,
  ): Promise<readonly SessionEvent[]> {
    if (this.#readers.size >= SESSION_BOUNDS.waitingReaders) throw tooMany(this.#readers.size);
    const { promise, resolve, reject } = Promise.withResolvers<readonly SessionEvent[]>();
    const reader = { after, limit, done: resolve };
    const abort = (): void => reject(signal.reason);
    const cancel = this.#options.clock.after(waitMs, () => resolve([]));
    signal.addEventListener("abort", abort, { once: true });
    this.#readers.add(reader);
    try {
      return await promise;
    } finally {
      this.#readers.delete(reader);
      signal.removeEventListener("abort", abort);
      cancel();
    }
  }
}

function sizeOf(events: readonly SessionEvent[]): number {
  return events.length === 1 ? 0 : JSON.stringify(events).length;
}

function tooMany(waiting: number): AgentOsError {
  const limit = "waitingReaders";
  const capacity = SESSION_BOUNDS.waitingReaders;
  const message = `${capacity} readers wait for this session's next event already`;
  return new AgentOsError("POOL_EXHAUSTED", message, { limit, capacity, waiting });
}
