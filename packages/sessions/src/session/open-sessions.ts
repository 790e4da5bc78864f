import type { AgentRuntime, StoredSession } from "@agentos/core";
import { AgentOsError, DEFAULTS, type SessionSpec, type SubagentSpec } from "@agentos/protocol";

import { checkSpec } from "./check-spec.ts";
import { childSpec } from "./child-spec.ts";
import { asAgentOsError, errorFacts } from "./deadline.ts";
import { endTurn } from "./end-turn.ts";
import { EarlierRequests } from "./earlier-requests.ts";
import type { Session } from "./session.ts";
import { type Above, SessionFactory } from "./session-factory.ts";
import type { SessionHostOptions } from "./session-parts.ts";
import type { SessionRecord } from "./session-record.ts";
import { settleInterrupted } from "./settle-interrupted.ts";
import { NO_SESSION_USAGE } from "./usage-sum.ts";

/** Who speaks of which session's VM, with which fence. */
export interface Holder {
  readonly user: string;
  readonly vmId: string;
  readonly fence: number;
}

interface Opening {
  readonly session: Session;
  readonly started: Promise<void>;
}

/** The sessions that are open, and how they come to be. */
export class OpenSessions {
  readonly #options: SessionHostOptions;
  readonly #factory: SessionFactory;
  readonly #open = new Map<string, Opening>();
  #isClosing = false;

  constructor(options: SessionHostOptions) {
    this.#options = options;
    this.#factory = new SessionFactory(options, {
      get: (key) => this.get(key),
      beginBelow: (above, agent, childId) => this.#beginBelow(above, agent, childId),
      closed: (key, session, above) => this.#forget(key, session, above),
    });
  }

  get size(): number {
    return this.#open.size;
  }

  all(): Session[] {
    return [...this.#open.values()].map(({ session }) => session);
  }

  get(key: string): Session | undefined {
    return this.#open.get(key)?.session;
  }

  /** Once it has started. Rejects where it could not. */
  async started(key: string): Promise<Session | undefined> {
    const opening = this.#open.get(key);
    await opening?.started;
    return opening?.session;
  }

  /** Throws `UNKNOWN_RUNTIME`. */
  runtime(name: string): AgentRuntime {
    return this.#factory.runtime(name);
  }

  /** A stored session, for reading and writing. */
  record(key: string, stored: StoredSession): SessionRecord {
    return this.#factory.record(key, stored);
  }

  /** A new session. Rejects as the runtime does, and nothing of it is left. */
  async begin(
    key: string,
    { user, vmId, fence }: Holder,
    spec: SessionSpec,
    above: Above | undefined,
  ): Promise<Session> {
    checkSpec(spec, this.runtime(spec.runtime));
    this.assertRoom();
    const stored: StoredSession = {
      user,
      vmId,
      spec,
      parent: above?.session.sessionId,
      isSubagent: above !== undefined,
      createdAt: new Date().toISOString(),
      state: "starting",
      agentSessionId: null,
      agentTrace: null,
      turns: 0,
      usage: NO_SESSION_USAGE,
      spent: { modelCalls: 0, toolTurns: 0, wallMs: 0 },
      compactions: [],
      lastResponse: null,
      lastSeq: 0,
      nextStep: 0,
      woken: false,
    };
    this.#options.store.add(key, stored);
    return await this.startStored(key, fence, stored, above);
  }

  /** One that is in the store already, and in nobody's use. Where it can't start, it is removed. */
  async startStored(
    key: string,
    fence: number,
    stored: StoredSession,
    above: Above | undefined,
  ): Promise<Session> {
    try {
      const session = this.#factory.build({ record: this.record(key, stored), fence, above });
      // Nothing is known of the session: its first turn is the whole prompt.
      if (stored.lastSeq === 0 && stored.spec.resume?.freshPrompt !== undefined)
        session.beginsAnew();
      await this.#start(key, session, above);
      return session;
    } catch (error) {
      this.#options.store.remove(key);
      throw error;
    }
  }

  /** Goes on with a closed session; where that fails it is closed as before. */
  async resume(
    key: string,
    { vmId, fence }: Holder,
    spec: SessionSpec,
    stored: StoredSession,
  ): Promise<Session> {
    checkSpec(spec, this.runtime(spec.runtime));
    this.assertRoom();
    const record = this.record(key, stored);
    record.write({ state: "starting", change: { spec, vmId } });
    try {
      const session = this.#factory.build({ record, fence, above: undefined });
      await this.#start(key, session, undefined);
      return session;
    } catch (error) {
      const reason = asAgentOsError(error).message;
      const change = { spec: stored.spec, vmId: stored.vmId };
      record.write({ state: stored.state, reason, change });
      throw error;
    }
  }

  /** What an earlier life left open: running turns end as interrupted, queued ones wait for their holder. */
  restore(): void {
    const found = this.#options.store.open();
    // Those above first: the others end with them.
    for (const { key, session } of found.toSorted(aboveFirst)) {
      try {
        this.#restoreOne(key, session);
      } catch (error) {
        const facts = { sessionId: session.spec.sessionId, ...errorFacts(error) };
        this.#options.log.error(facts, "a session of an earlier life was not restored");
      }
    }
  }

  /** Throws `POOL_EXHAUSTED`, or `DISPOSED` at the sidecar's end. */
  assertRoom(): void {
    if (this.#isClosing) {
      const details = { kind: "sidecar", id: "" };
      throw new AgentOsError("DISPOSED", "the sidecar is ending: it opens no session", details);
    }
    const capacity = this.#options.maxSessions ?? DEFAULTS.sessionsPerSidecar;
    if (this.#open.size < capacity) return;
    const details = { limit: "sessionsPerSidecar", capacity, waiting: 0 };
    throw new AgentOsError("POOL_EXHAUSTED", `${capacity} sessions are open already`, details);
  }

  /** Ends every session, side by side. Failures are logged, and the others end all the same. */
  async close(reason: string): Promise<void> {
    this.#isClosing = true;
    await Promise.allSettled(this.all().map((session) => session.close(reason)));
  }

  /** A subagent's, for its parent's tool. */
  async #beginBelow(above: Above, agent: SubagentSpec, childId: string): Promise<Session> {
    const { record, parts } = above.session;
    const { user, vmId } = record.now;
    const holder = { user, vmId, fence: parts.access.fence };
    const spec = childSpec(parts.spec, agent, childId);
    return await this.begin(keyOf(user, childId), holder, spec, above);
  }

  async #start(key: string, session: Session, above: Above | undefined): Promise<void> {
    const { runtime, spec } = session.parts;
    above?.session.adopt(session);
    const started = runtime.check(spec).then(() => session.start());
    this.#open.set(key, { session, started });
    try {
      await started;
    } catch (error) {
      this.#forget(key, session, above);
      throw error;
    }
  }

  #restoreOne(key: string, stored: StoredSession): void {
    const { store } = this.#options;
    const record = this.record(key, stored);
    const isOfTool = store.turns(key).some(({ source }) => source === "agent");
    const left = settleInterrupted(record, store, this.#factory.findRuntime(stored.spec.runtime));
    const { queued, running } = left;
    try {
      const above = stored.isSubagent ? this.#above(stored, isOfTool) : undefined;
      const fence = queued.at(-1)?.fence ?? running?.turn.fence ?? 1;
      const session = this.#factory.build({ record, fence, above, left });
      above?.session.adopt(session);
      this.#open.set(key, { session, started: Promise.resolve() });
    } catch (error) {
      if (running !== undefined)
        endTurn(record, running.turn.turnId, "interrupted", record.now.usage.turn);
      for (const { turnId } of queued) endTurn(record, turnId, "cancelled");
      this.#earlier(record).end();
      record.write({ state: "closed", reason: asAgentOsError(error).message });
    }
  }

  /** What nobody can ask or answer any more. */
  #earlier(record: SessionRecord): EarlierRequests {
    const { store, log } = this.#options;
    return new EarlierRequests({ record, store, log, fence: () => 0 });
  }

  /** Throws where what it was for is gone. */
  #above({ user, parent = "" }: StoredSession, isOfTool: boolean): Above {
    const session = this.get(keyOf(user, parent));
    if (session !== undefined && !isOfTool) return { session, isWithin: false };
    const reason = "its parent was interrupted";
    throw new AgentOsError("CANCELLED", reason, { operation: "a subagent" });
  }

  #forget(key: string, session: Session, above: Above | undefined): void {
    if (this.#open.get(key)?.session === session) this.#open.delete(key);
    above?.session.forget(session);
  }
}

/** The store's key of a user's session. Neither a user's name nor an id has a slash. */
export function keyOf(user: string, sessionId: string): string {
  return `${user}/${sessionId}`;
}

function aboveFirst(a: { session: StoredSession }, b: { session: StoredSession }): number {
  return Number(a.session.isSubagent) - Number(b.session.isSubagent);
}
