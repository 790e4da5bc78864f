import type { AgentRuntime, StoredSession } from "@agentos/core";
import {
  AgentOsError,
  aliasesOf,
  DEFAULTS,
  type SessionEvent,
  type SessionSpec,
} from "@agentos/protocol";

import type { Subagents } from "../subagents.ts";
import { buildSession } from "./build-session.ts";
import { checkSpec } from "./check-spec.ts";
import { childSpec, depthOf, withDefaultTools } from "./child-spec.ts";
import { asAgentOsError, errorFacts } from "./deadline.ts";
import { endTurn } from "./end-turn.ts";
import { EarlierRequests } from "./earlier-requests.ts";
import { FlushGroup } from "./flush-group.ts";
import type { Session } from "./session.ts";
import type { ParentSession, SessionHostOptions } from "./session-parts.ts";
import { SessionRecord } from "./session-record.ts";
import { SessionSubagents } from "./session-subagents.ts";
import { type LeftTurns, settleInterrupted } from "./settle-interrupted.ts";
import { TranscriptRoom } from "./transcript-room.ts";
import { NO_SESSION_USAGE } from "./usage-sum.ts";

/** Who speaks of which session's VM, with which fence. */
export interface Holder {
  readonly user: string;
  readonly vmId: string;
  readonly fence: number;
}

/** What a session is below. */
export interface Above {
  readonly session: Session;
  /** A tool started it: its events and requests are told above. */
  readonly isWithin: boolean;
}

interface Opening {
  readonly session: Session;
  readonly started: Promise<void>;
}

/** The sessions that are open, and how they come to be. */
export class OpenSessions {
  readonly #options: SessionHostOptions;
  readonly #runtimes: ReadonlyMap<string, AgentRuntime>;
  readonly #flushes: FlushGroup;
  readonly #room: TranscriptRoom;
  readonly #open = new Map<string, Opening>();
  #isClosing = false;

  constructor(options: SessionHostOptions) {
    this.#options = options;
    this.#flushes = new FlushGroup(options.store);
    this.#room = new TranscriptRoom({
      store: options.store,
      log: options.log,
      capacity: options.transcriptBytes,
      forget: (key, why) => this.#forgetTranscript(key, why),
    });
    this.#runtimes = new Map(options.runtimes.map((runtime) => [runtime.name, runtime]));
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
    const runtime = this.#runtimes.get(name);
    if (runtime !== undefined) return runtime;
    const known = [...this.#runtimes.keys()].flatMap((each) => [each, ...aliasesOf(each)]);
    const message = `unknown runtime ${JSON.stringify(name)}; there are: ${known.join(", ")}`;
    throw new AgentOsError("UNKNOWN_RUNTIME", message, { runtime: name, known });
  }

  /** A stored session, for reading and writing. */
  record(key: string, stored: StoredSession): SessionRecord {
    const { store, clock, log, onEvents } = this.#options;
    const onFault = (error: unknown): void => {
      const facts = { sessionId: stored.spec.sessionId, ...errorFacts(error) };
      log.error(facts, "a session's text was not written");
      const end = { stopReason: "error", text: "", error: asAgentOsError(error) } as const;
      this.get(key)?.runningTurn?.stop(end);
    };
    const { user, spec } = stored;
    const ref = { user, sessionId: spec.sessionId };
    const onStored = (events: readonly SessionEvent[]): void => onEvents?.(ref, events);
    const flushes = this.#flushes;
    return new SessionRecord({ key, store, stored, clock, flushes, onStored, onFault });
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
      const session = this.#build(this.record(key, stored), fence, above, undefined);
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
      const session = this.#build(record, fence, undefined, undefined);
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
    const left = settleInterrupted(record, store, this.#runtimes.get(stored.spec.runtime));
    const { queued, running } = left;
    try {
      const above = stored.isSubagent ? this.#above(stored, isOfTool) : undefined;
      const fence = queued.at(-1)?.fence ?? running?.turn.fence ?? 1;
      const session = this.#build(record, fence, above, left);
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

  #build(
    record: SessionRecord,
    fence: number,
    above: Above | undefined,
    left: LeftTurns | undefined,
  ): Session {
    const { spec } = record.now;
    const session: Session = buildSession({
      host: this.#options,
      record,
      runtime: this.runtime(spec.runtime),
      fence,
      parent: above === undefined ? undefined : parentOf(above, record),
      subagents: (own) => this.#subagents(spec, own),
      makeRoom: (user) => this.#room.make(user),
      onClosed: () => {
        this.#forget(record.key, session, above);
        this.#options.onChange?.();
      },
      ...(left === undefined ? {} : { left }),
    });
    return session;
  }

  #subagents(spec: SessionSpec, own: () => Session): Subagents | undefined {
    if (depthOf(spec) === 0) return undefined;
    const subagents = spec.capabilities?.subagents;
    return new SessionSubagents({
      agents: spec.agents ?? {},
      allow: typeof subagents === "object" ? subagents.allow : undefined,
      open: async (agent, childId) => {
        const session = own();
        const { user, vmId } = session.record.now;
        const holder = { user, vmId, fence: session.parts.access.fence };
        const above = { session, isWithin: true };
        const made = childSpec(spec, withDefaultTools(agent), childId);
        return await this.begin(keyOf(user, childId), holder, made, above);
      },
    });
  }

  #forgetTranscript(key: string, message: string): void {
    const stored = this.#options.store.find(key);
    if (stored === undefined) return;
    const entries = [{ turnId: null, happening: { type: "notice" as const, message } }];
    this.record(key, stored).write({ dropEventsTo: stored.lastSeq, entries });
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

function parentOf({ session, isWithin }: Above, record: SessionRecord): ParentSession {
  return {
    modelCalled: (used) => session.modelCalledBelow(used, record.sessionId),
    within: isWithin
      ? {
          requests: session.parts.requests,
          tell: (entry) => session.runningTurn?.tellBelow(entry),
        }
      : undefined,
  };
}

function aboveFirst(a: { session: StoredSession }, b: { session: StoredSession }): number {
  return Number(a.session.isSubagent) - Number(b.session.isSubagent);
}
