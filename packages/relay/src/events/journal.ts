import type { Clock, DeliveryChange, RelayStore, RelayWrite } from "@agentos/core";
import {
  AgentOsError,
  DEFAULTS,
  type ParsedParams,
  type RelayEvent,
  type RelayHappening,
} from "@agentos/protocol";

import { RELAY_BOUNDS } from "../relay-bounds.ts";

export interface JournalOptions {
  readonly store: RelayStore;
  readonly clock: Clock;
  readonly now: () => number;
  /** What was gathered could not be written. */
  readonly onFault: (error: unknown) => void;
}

interface Gathered {
  readonly change: DeliveryChange;
  readonly happening: RelayHappening;
}

/** What may be written with what others ask for. */
export type Addition = Pick<RelayWrite, "addMessages" | "addDeliveries" | "changeDeliveries">;

interface Asked {
  readonly write: Omit<RelayWrite, "events">;
  readonly happenings: readonly RelayHappening[];
}

interface Waiting extends Asked, PromiseWithResolvers<void> {
  readonly write: Addition;
}

type ReadRequest = ParsedParams<"relay.events">;

interface Batch {
  readonly events: readonly RelayEvent[];
  readonly seq: number;
}

/** One user's log of events: what changes is written through it, then told to whoever waits. */
export class Journal {
  readonly #options: JournalOptions;
  readonly #readers = new Set<() => void>();
  #lastSeq: number;
  #gathered: Gathered[] = [];
  #waiting: Waiting[] = [];
  #flush: NodeJS.Immediate | undefined;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#lastSeq = options.store.lastSeq;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  /**
   * In one transaction with the events, and with what was gathered before; then readers are told. Nothing happens where
   * it throws.
   */
  write(write: Omit<RelayWrite, "events">, happenings: readonly RelayHappening[]): void {
    if (this.#waiting.length > 0) this.flush();
    this.#commit([{ write, happenings }]);
  }

  /**
   * In one transaction with whatever else is asked for in this tick of the event loop. Resolves once it is written;
   * nothing happens where it rejects.
   */
  async writeTogether(write: Addition, happenings: readonly RelayHappening[]): Promise<void> {
    const waiting = { write, happenings, ...Promise.withResolvers<void>() };
    this.#waiting.push(waiting);
    if (this.#waiting.length >= RELAY_BOUNDS.groupedWrites) this.flush();
    else this.#flushLater();
    await waiting.promise;
  }

  /**
   * With the next write, or at the end of this tick of the event loop: for steps of a delivery that the session's own
   * transcript proves again, should the sidecar be killed before.
   */
  gather(change: DeliveryChange, happening: RelayHappening): void {
    this.#gathered.push({ change, happening });
    this.#flushLater();
  }

  /** Writes what was gathered, and what waits. */
  flush(): void {
    clearImmediate(this.#flush);
    this.#flush = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length + this.#gathered.length > 0) this.#settle(waiting);
  }

  #flushLater(): void {
    this.#flush ??= setImmediate(() => this.flush());
  }

  #settle(waiting: readonly Waiting[]): void {
    try {
      this.#commit(waiting);
    } catch (error) {
      return this.#settleApart(waiting, error);
    }
    for (const { resolve } of waiting) resolve();
  }

  /** Together they could not be written: each by itself, so that only what is to blame is refused. */
  #settleApart(waiting: readonly Waiting[], error: unknown): void {
    const isAlone = waiting.length === 0 || (waiting.length === 1 && this.#gathered.length === 0);
    if (!isAlone) {
      if (this.#gathered.length > 0) this.#settle([]);
      for (const each of waiting) this.#settle([each]);
      return;
    }
    for (const { reject } of waiting) reject(error);
    if (waiting.length > 0) return;
    this.#gathered = [];
    this.#options.onFault(error);
  }

  #commit(asked: readonly Asked[]): void {
    const gathered = this.#gathered;
    const at = this.#options.now();
    const told = [
      ...gathered.map(({ happening }) => happening),
      ...asked.flatMap(({ happenings }) => happenings),
    ];
    const events = told.map((happening, index) => {
      const seq = this.#lastSeq + 1 + index;
      return { seq, at, ...happening };
    });
    const write = together(asked.map((each) => each.write));
    const changes = [...gathered.map(({ change }) => change), ...(write.changeDeliveries ?? [])];
    this.#options.store.write({ ...write, changeDeliveries: merged(changes), events });
    this.#gathered = [];
    this.#lastSeq += events.length;
    if (events.length > 0) for (const look of Array.from(this.#readers)) look();
  }

  /** The events after a seq that are asked for: at once where there are any, else the next ones within `waitMs`. */
  async read(
    request: ReadRequest,
    signal: AbortSignal,
  ): Promise<{ events: RelayEvent[]; seq: number; oldest: number }> {
    const { waitMs = 0, newest = false } = request;
    let batch = this.#batch(request, request.after);
    if (batch.events.length === 0 && waitMs > 0 && !newest)
      batch = await this.#wait(request, batch, signal);
    return {
      events: [...batch.events],
      seq: batch.seq,
      oldest: this.#options.store.oldestSeq,
    };
  }

  #batch(request: ReadRequest, after: number): Batch {
    if (after >= this.#lastSeq) return { events: [], seq: after };
    const { limit = RELAY_BOUNDS.batchEntries, newest = false, ...query } = request;
    const { agent, messageId, types } = query;
    const events = this.#options.store.events({
      after,
      limit,
      newest,
      maxBytes: DEFAULTS.eventBatchBytes,
      agent,
      messageId,
      types,
    });
    // Nothing that was asked for is in the rest either.
    return { events, seq: (newest ? undefined : events.at(-1)?.seq) ?? this.#lastSeq };
  }

  async #wait(request: ReadRequest, seen: Batch, signal: AbortSignal): Promise<Batch> {
    signal.throwIfAborted();
    if (this.#readers.size >= RELAY_BOUNDS.waitingReaders) throw tooMany(this.#readers.size);
    const { promise, resolve, reject } = Promise.withResolvers<Batch>();
    let last = seen;
    const look = (): void => {
      last = this.#batch(request, last.seq);
      if (last.events.length > 0) resolve(last);
    };
    const abort = (): void => reject(signal.reason);
    const cancel = this.#options.clock.after(request.waitMs ?? 0, () => resolve(last));
    signal.addEventListener("abort", abort, { once: true });
    this.#readers.add(look);
    try {
      return await promise;
    } finally {
      this.#readers.delete(look);
      signal.removeEventListener("abort", abort);
      cancel();
    }
  }
}

function tooMany(waiting: number): AgentOsError {
  const limit = "waitingReaders";
  const capacity = RELAY_BOUNDS.waitingReaders;
  const message = `${capacity} readers wait for the relay's next event already`;
  return new AgentOsError("POOL_EXHAUSTED", message, { limit, capacity, waiting });
}

/** What else one of them writes has no other beside it. */
function together(writes: readonly Omit<RelayWrite, "events">[]): Omit<RelayWrite, "events"> {
  const [first = {}] = writes;
  if (writes.length < 2) return first;
  return {
    addMessages: writes.flatMap(({ addMessages = [] }) => addMessages),
    addDeliveries: writes.flatMap(({ addDeliveries = [] }) => addDeliveries),
    changeDeliveries: writes.flatMap(({ changeDeliveries = [] }) => changeDeliveries),
  };
}

/** The last of each delivery: it says all that those before it did. */
function merged(changes: readonly DeliveryChange[]): DeliveryChange[] {
  const byId = new Map<string, DeliveryChange>();
  for (const change of changes)
    byId.set(change.deliveryId, { ...byId.get(change.deliveryId), ...change });
  return [...byId.values()];
}
