import type { AgentRuntime, StoredSession } from "@agentos/core";
import {
  AgentOsError,
  DEFAULTS,
  type RequestAnswer,
  type SessionInfo,
  type SessionSpec,
  type SessionSummary,
  type SubagentSpec,
} from "@agentos/protocol";

import type { Subagents } from "../subagents.ts";
import { buildSession } from "./build-session.ts";
import { assertSupports, checkSpec } from "./check-spec.ts";
import { assertDepth, childSpec, depthOf } from "./child-spec.ts";
import { asAgentOsError } from "./deadline.ts";
import type { Session } from "./session.ts";
import { sessionBusy, sessionClosed, sessionExists, unknownSession } from "./session-errors.ts";
import type { ParentSession, SessionHostOptions } from "./session-parts.ts";
import { SessionRecord } from "./session-record.ts";
import { isOpen } from "./session-states.ts";
import { SessionSubagents } from "./session-subagents.ts";
import { SessionView, summaryOf } from "./session-view.ts";
import { settleInterrupted } from "./settle-interrupted.ts";
import { NO_SESSION_USAGE } from "./usage-sum.ts";

/** Who speaks of which session's VM, with which fence. */
interface Holder {
  readonly user: string;
  readonly vmId: string;
  readonly fence: number;
}

interface Opening {
  readonly session: Session;
  readonly started: Promise<void>;
}

/** All sessions of a sidecar. Those of one user are unknown to another. */
export class SessionHost {
  readonly #options: SessionHostOptions;
  readonly #runtimes: ReadonlyMap<string, AgentRuntime>;
  readonly #open = new Map<string, Opening>();
  #isClosing = false;

  constructor(options: SessionHostOptions) {
    this.#options = options;
    this.#runtimes = new Map(options.runtimes.map((runtime) => [runtime.name, runtime]));
  }

  /** Sessions that are open now. */
  get count(): number {
    return this.#open.size;
  }

  /** Whether a turn runs anywhere. */
  get isBusy(): boolean {
    return [...this.#open.values()].some(({ session }) => session.isBusy);
  }

  /** What an earlier life left open: running turns end as interrupted, queued ones wait for their holder. */
  restore(): void {
    for (const { key, session } of this.#options.store.open()) {
      try {
        this.#restoreOne(key, session);
      } catch (error) {
        const facts = { sessionId: session.spec.sessionId, error: asAgentOsError(error).message };
        this.#options.log.error(facts, "a session of an earlier life was not restored");
      }
    }
  }

  /** A VM's holder is there, or there again. */
  held({ user, vmId, fence }: Holder): void {
    for (const { session } of this.#open.values()) {
      const { now } = session.record;
      if (now.user === user && now.vmId === vmId) session.held(fence);
    }
  }

  /** Opens a session, or goes on with a stored one. Rejects as the runtime does, and nothing of it is left. */
  async create(holder: Holder, spec: SessionSpec): Promise<SessionInfo> {
    const key = keyOf(holder.user, spec.sessionId);
    const stored = this.#stored(key);
    const mode = spec.resume?.mode;
    if (stored !== undefined) {
      if (mode === "create_only") throw sessionExists(spec.sessionId, "");
      if (!isOpen(stored.state) && mode !== undefined) return await this.#resume(key, holder, spec);
      if (mode === undefined && !isSame(stored.spec, spec))
        throw sessionExists(spec.sessionId, ", with another specification");
      if (isOpen(stored.state) && stored.vmId !== holder.vmId)
        throw sessionExists(spec.sessionId, `, in VM ${stored.vmId}`);
      return await this.#startedInfo(key);
    }
    if (mode === "resume" && spec.resume?.freshPrompt === undefined) {
      const reason = "no such session is stored";
      const message = `session ${spec.sessionId} can't be resumed: ${reason}`;
      throw new AgentOsError("RESUME_LOST", message, { sessionId: spec.sessionId, reason });
    }
    return await this.#begin(key, holder, spec, undefined);
  }

  list(user: string, vmId: string | undefined): SessionSummary[] {
    const stored = this.#options.store.list(user).map(({ session }) => session);
    return stored.filter((each) => vmId === undefined || each.vmId === vmId).map(summaryOf);
  }

  /** Throws `NOT_FOUND`. */
  view(user: string, sessionId: string): SessionView {
    const open = this.#open.get(keyOf(user, sessionId));
    return (
      open?.session.view ?? new SessionView(this.#closed(user, sessionId), this.#options.store)
    );
  }

  /** The session, open and in that VM. Throws `NOT_FOUND` or `SESSION_CLOSED`. */
  used({ user, vmId }: Pick<Holder, "user" | "vmId">, sessionId: string): Session {
    const session = this.opened(user, sessionId);
    if (session.record.now.vmId === vmId) return session;
    throw unknownSession(sessionId);
  }

  /** The session, where it is open; undefined where it is closed. Throws `NOT_FOUND`. */
  find(user: string, sessionId: string): Session | undefined {
    const open = this.#open.get(keyOf(user, sessionId));
    if (open === undefined) this.#closed(user, sessionId);
    return open?.session;
  }

  /** Throws `NOT_FOUND` or `SESSION_CLOSED`. */
  opened(user: string, sessionId: string): Session {
    const open = this.#open.get(keyOf(user, sessionId));
    if (open !== undefined) return open.session;
    throw sessionClosed(sessionId, this.#closed(user, sessionId).now.state);
  }

  /** Throws `NOT_FOUND`, `REQUEST_SETTLED`, or `INVALID_ARGUMENT`. */
  respond(
    holder: Omit<Holder, "fence">,
    sessionId: string,
    requestId: string,
    answer: RequestAnswer,
  ): void {
    const open = this.find(holder.user, sessionId);
    if (open !== undefined) return this.used(holder, sessionId).respond(requestId, answer);
    const outcome = this.#options.store.outcome(keyOf(holder.user, sessionId), requestId);
    if (outcome === undefined) throw sessionClosed(sessionId, "closed");
    const message = `request ${requestId} is settled already: ${outcome}`;
    throw new AgentOsError("REQUEST_SETTLED", message, { requestId, outcome });
  }

  /** Ends the session and forgets it. Throws `NOT_FOUND`. */
  async delete(user: string, sessionId: string): Promise<void> {
    const key = keyOf(user, sessionId);
    const open = this.#open.get(key)?.session;
    const record = open?.record ?? this.#closed(user, sessionId);
    try {
      await open?.close("deleted");
    } finally {
      // Its end may have failed: forgotten it is all the same, and its readers hear so.
      record.write({ state: "deleted" });
      this.#options.store.remove(key);
    }
  }

  /** Another session that goes on from this one's state, in another VM. */
  async fork(
    { user, vmId }: Holder,
    sessionId: string,
    into: { vmId: string; fence: number; sessionId: string },
  ): Promise<SessionInfo> {
    const record =
      this.#open.get(keyOf(user, sessionId))?.session.record ?? this.#closed(user, sessionId);
    if (record.now.vmId !== vmId) throw unknownSession(sessionId);
    assertSupports(this.#runtime(record.now.spec.runtime), "fork");
    const key = keyOf(user, into.sessionId);
    if (this.#stored(key) !== undefined) throw sessionExists(into.sessionId, "");
    const running = this.#open.get(keyOf(user, sessionId))?.session.runningTurn;
    if (running !== undefined) throw sessionBusy(sessionId, running.turn.turnId);
    const { resume: _resume, triggers: _triggers, ...spec } = record.now.spec;
    const stored = {
      ...record.now,
      spec: { ...spec, sessionId: into.sessionId },
      vmId: into.vmId,
      parent: sessionId,
      createdAt: new Date().toISOString(),
      state: "starting" as const,
      woken: false,
    };
    this.#assertRoom();
    this.#options.store.copy(record.key, key, stored);
    return await this.#start(key, { ...into, user }, stored, undefined);
  }

  /** A subagent's session below this one. */
  async spawn(
    holder: Holder,
    sessionId: string,
    childId: string,
    agent: SubagentSpec,
  ): Promise<SessionInfo> {
    const parent = this.used(holder, sessionId);
    const { spec } = parent.parts;
    assertSupports(parent.parts.runtime, "subagents");
    assertDepth(parent.parts.parent !== undefined, spec);
    const key = keyOf(holder.user, childId);
    const known = this.#stored(key);
    const made = childSpec(spec, agent, childId);
    if (known !== undefined) {
      if (known.parent !== sessionId || !isSame(known.spec, made)) throw sessionExists(childId, "");
      return await this.#startedInfo(key);
    }
    return await this.#begin(key, holder, made, { session: parent, isWithin: false });
  }

  /** The session that this one is below. */
  parentOf(user: string, sessionId: string): string | undefined {
    return this.#open.get(keyOf(user, sessionId))?.session.record.now.parent;
  }

  /** Ends every session, side by side. Failures are logged, and the others end all the same. */
  async close(reason: string): Promise<void> {
    this.#isClosing = true;
    const ends = [...this.#open.values()].map(({ session }) => session.close(reason));
    await Promise.allSettled(ends);
  }

  async #begin(
    key: string,
    holder: Holder,
    spec: SessionSpec,
    parent: { session: Session; isWithin: boolean } | undefined,
  ): Promise<SessionInfo> {
    const runtime = this.#runtime(spec.runtime);
    checkSpec(spec, runtime);
    this.#assertRoom();
    const stored: StoredSession = {
      user: holder.user,
      vmId: holder.vmId,
      spec,
      parent: parent?.session.sessionId,
      createdAt: new Date().toISOString(),
      state: "starting",
      agentSessionId: null,
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
    return await this.#start(key, holder, stored, parent);
  }

  async #start(
    key: string,
    holder: Holder,
    stored: StoredSession,
    parent: { session: Session; isWithin: boolean } | undefined,
  ): Promise<SessionInfo> {
    try {
      const record = this.#record(key, stored);
      const runtime = this.#runtime(stored.spec.runtime);
      const session = this.#build({ record, runtime, fence: holder.fence, parent });
      parent?.session.adopt(session);
      // Nothing is known of the session: its first turn is the whole prompt.
      if (stored.lastSeq === 0 && stored.spec.resume?.freshPrompt !== undefined)
        session.beginsAnew();
      const started = runtime.check(stored.spec).then(() => session.start());
      this.#open.set(key, { session, started });
      await started;
      return session.view.info();
    } catch (error) {
      this.#forget(key, parent?.session);
      this.#options.store.remove(key);
      throw error;
    }
  }

  /** Goes on with a closed session; where that fails it is closed as before. */
  async #resume(key: string, holder: Holder, spec: SessionSpec): Promise<SessionInfo> {
    const stored = this.#stored(key);
    if (stored === undefined) throw unknownSession(spec.sessionId);
    const runtime = this.#runtime(spec.runtime);
    checkSpec(spec, runtime);
    this.#assertRoom();
    const before = stored.state;
    const record = this.#record(key, stored);
    record.write({ state: "starting", change: { spec, vmId: holder.vmId } });
    try {
      const session = this.#build({ record, runtime, fence: holder.fence, parent: undefined });
      const started = runtime.check(spec).then(() => session.start());
      this.#open.set(key, { session, started });
      await started;
      return session.view.info();
    } catch (error) {
      this.#forget(key, undefined);
      const change = { spec: stored.spec, vmId: stored.vmId };
      record.write({ state: before, reason: asAgentOsError(error).message, change });
      throw error;
    }
  }

  #restoreOne(key: string, stored: StoredSession): void {
    const record = this.#record(key, stored);
    const isToolsAgent = this.#options.store.turns(key).some(({ source }) => source === "agent");
    const queued = settleInterrupted(record, this.#options.store);
    // The tool call that it was for is gone.
    if (isToolsAgent)
      return record.write({ state: "closed", reason: "its parent was interrupted" });
    try {
      const runtime = this.#runtime(stored.spec.runtime);
      const fence = queued.at(-1)?.fence ?? 1;
      const session = this.#build({ record, runtime, fence, parent: undefined, queued });
      this.#open.set(key, { session, started: Promise.resolve() });
    } catch (error) {
      for (const { turnId } of queued) record.write({ endTurn: turnId });
      record.write({ state: "closed", reason: asAgentOsError(error).message });
    }
  }

  #build(request: {
    record: SessionRecord;
    runtime: AgentRuntime;
    fence: number;
    parent: { session: Session; isWithin: boolean } | undefined;
    queued?: Parameters<typeof buildSession>[0]["queued"];
  }): Session {
    const { record, runtime, fence, parent, queued } = request;
    return buildSession({
      host: this.#options,
      record,
      runtime,
      fence,
      parent: parent === undefined ? undefined : parentOf(parent.session, record, parent.isWithin),
      subagents: (session) => this.#subagents(record.now.spec, session),
      onClosed: () => {
        this.#forget(record.key, parent?.session);
        this.#options.onChange?.();
      },
      ...(queued === undefined ? {} : { queued }),
    });
  }

  #subagents(spec: SessionSpec, session: () => Session): Subagents | undefined {
    if (depthOf(spec) === 0) return undefined;
    const subagents = spec.capabilities?.subagents;
    return new SessionSubagents({
      agents: spec.agents ?? {},
      allow: typeof subagents === "object" ? subagents.allow : undefined,
      open: async (agent, childId) => {
        const parent = session();
        const { user, vmId } = parent.record.now;
        const holder = { user, vmId, fence: parent.parts.access.fence };
        const key = keyOf(user, childId);
        await this.#begin(key, holder, childSpec(spec, agent, childId), {
          session: parent,
          isWithin: true,
        });
        return this.opened(user, childId);
      },
    });
  }

  #forget(key: string, parent: Session | undefined): void {
    const known = this.#open.get(key);
    this.#open.delete(key);
    if (known !== undefined) parent?.forget(known.session);
  }

  #record(key: string, stored: StoredSession): SessionRecord {
    const { store, clock, log } = this.#options;
    const onFault = (error: unknown): void => {
      const facts = { sessionId: stored.spec.sessionId, error: asAgentOsError(error).message };
      log.error(facts, "a session's text was not written");
      this.#open.get(key)?.session.runningTurn?.stop({
        stopReason: "error",
        text: "",
        error: asAgentOsError(error),
      });
    };
    return new SessionRecord({ key, store, stored, clock, onFault });
  }

  async #startedInfo(key: string): Promise<SessionInfo> {
    const opening = this.#open.get(key);
    await opening?.started;
    if (opening !== undefined) return opening.session.view.info();
    const stored = this.#stored(key);
    if (stored === undefined) throw unknownSession(key);
    return new SessionView(this.#record(key, stored), this.#options.store).info();
  }

  #stored(key: string): StoredSession | undefined {
    return this.#open.get(key)?.session.record.now ?? this.#options.store.find(key);
  }

  #closed(user: string, sessionId: string): SessionRecord {
    const key = keyOf(user, sessionId);
    const stored = this.#options.store.find(key);
    if (stored === undefined) throw unknownSession(sessionId);
    return this.#record(key, stored);
  }

  #runtime(name: string): AgentRuntime {
    const runtime = this.#runtimes.get(name);
    if (runtime !== undefined) return runtime;
    const known = [...this.#runtimes.keys()];
    const message = `unknown runtime ${JSON.stringify(name)}; there are: ${known.join(", ")}`;
    throw new AgentOsError("UNKNOWN_RUNTIME", message, { runtime: name, known });
  }

  #assertRoom(): void {
    if (this.#isClosing)
      throw new AgentOsError("DISPOSED", "the sidecar is ending", { kind: "sidecar", id: "" });
    const capacity = this.#options.maxSessions ?? DEFAULTS.sessionsPerSidecar;
    if (this.#open.size < capacity) return;
    const details = { limit: "sessionsPerSidecar", capacity, waiting: 0 };
    throw new AgentOsError("POOL_EXHAUSTED", `${capacity} sessions are open already`, details);
  }
}

/** The store's key of a user's session. Neither a user's name nor an id has a slash. */
function keyOf(user: string, sessionId: string): string {
  return `${user}/${sessionId}`;
}

function parentOf(parent: Session, record: SessionRecord, isWithin: boolean): ParentSession {
  return {
    modelCalled: (used) => parent.modelCalledBelow(used, record.sessionId),
    within: isWithin
      ? {
          requests: parent.parts.requests,
          tell: (entry) => parent.runningTurn?.tellBelow(entry),
        }
      : undefined,
  };
}

function isSame(a: SessionSpec, b: SessionSpec): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
