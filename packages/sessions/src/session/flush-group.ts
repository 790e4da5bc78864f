import type { SessionStore, SessionWrite } from "@agentos/core";

/** What one session has to write, and what follows. */
export interface Flush {
  readonly key: string;
  /** Undefined: all of it was written meanwhile. */
  readonly write: SessionWrite | undefined;
  /** It is written. */
  readonly stored: () => void;
  readonly failed: (error: unknown) => void;
}

/** Whose text waits to be written. */
export interface Flushable {
  takeFlush(): Flush;
}

/** Text waits for so many times as long as writing the last took, so that writing leaves room for all else. */
const REST = 3;
/** But no longer than this: nobody sees it. */
const LONGEST_REST_MS = 20;
/** Sessions in one transaction: what waits for the event loop is served between two. */
const SESSIONS_AT_ONCE = 16;

/**
 * The text of many sessions, written in few transactions: at the end of the tick that it came in, or a little later
 * where there is much of it. A transaction for each would take most of a busy sidecar's time.
 */
export class FlushGroup {
  readonly #store: Pick<SessionStore, "writeAll">;
  readonly #due = new Set<Flushable>();
  #isPlanned = false;
  #notBeforeMs = 0;

  constructor(store: Pick<SessionStore, "writeAll">) {
    this.#store = store;
  }

  add(session: Flushable): void {
    this.#due.add(session);
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    const restMs = this.#notBeforeMs - performance.now();
    // A timer is never due before a millisecond has passed.
    if (restMs > 1) setTimeout(() => this.#flush(), restMs);
    else setImmediate(() => this.#flush());
  }

  /** Its text was written with something else. */
  delete(session: Flushable): void {
    this.#due.delete(session);
  }

  #flush(): void {
    const round = [...this.#due];
    this.#due.clear();
    // What is added meanwhile goes with the next round.
    this.#isPlanned = false;
    this.#flushSome(round, 0);
  }

  #flushSome(round: readonly Flushable[], spentMs: number): void {
    const startedMs = performance.now();
    const some = round.slice(0, SESSIONS_AT_ONCE);
    this.#write(some.map((session) => session.takeFlush()));
    const endMs = performance.now();
    const allMs = spentMs + endMs - startedMs;
    this.#notBeforeMs = endMs + Math.min(LONGEST_REST_MS, REST * allMs);
    const rest = round.slice(SESSIONS_AT_ONCE);
    if (rest.length > 0) setImmediate(() => this.#flushSome(rest, allMs));
  }

  /** Together, or where that can't be each by itself: the trouble of one is not the others'. */
  #write(flushes: readonly Flush[]): void {
    try {
      this.#store.writeAll(flushes.flatMap(({ key, write }) => (write ? [{ key, write }] : [])));
    } catch (error) {
      const [only, ...others] = flushes;
      if (others.length === 0) only?.failed(error);
      else for (const flush of flushes) this.#write([flush]);
      return;
    }
    for (const { stored, failed } of flushes) {
      try {
        stored();
      } catch (error) {
        failed(error);
      }
    }
  }
}
