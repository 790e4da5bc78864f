import {
  AgentOsError,
  type RequestAnswer,
  type SessionInfo,
  type SessionRequest,
  type SessionSpec,
  type SessionSummary,
  type SubagentSpec,
} from "@agentos/protocol";
import type { StoredSession } from "@agentos/core";

import { assertSupports, checkSpec } from "./check-spec.ts";
import { assertDepth, childSpec } from "./child-spec.ts";
import { type Holder, keyOf, OpenSessions } from "./open-sessions.ts";
import { newSpec, resumedSpec } from "./resumed-spec.ts";
import type { Session } from "./session.ts";
import { sessionBusy, sessionClosed, sessionExists, unknownSession } from "./session-errors.ts";
import type { SessionHostOptions } from "./session-parts.ts";
import type { SessionRecord } from "./session-record.ts";
import { isOpen } from "./session-states.ts";
import { SessionView, summaryOf } from "./session-view.ts";

/** All sessions of a sidecar. Those of one user are unknown to another. */
export class SessionHost {
  readonly #options: SessionHostOptions;
  readonly #open: OpenSessions;

  constructor(options: SessionHostOptions) {
    this.#options = options;
    this.#open = new OpenSessions(options);
  }

  /** Sessions that are open now. */
  get count(): number {
    return this.#open.size;
  }

  /** Whether a turn runs anywhere. */
  get isBusy(): boolean {
    return this.#open.all().some((session) => session.isBusy);
  }

  /** What an earlier life left open: running turns end as interrupted, queued ones wait for their holder. */
  restore(): void {
    this.#open.restore();
  }

  /** A VM's holder is there, or there again. */
  held({ user, vmId, fence }: Holder): void {
    for (const session of this.#open.all()) {
      const { now } = session.record;
      if (now.user === user && now.vmId === vmId) session.held(fence);
    }
  }

  /** Opens a session, or goes on with a stored one. Rejects as the runtime does, and nothing of it is left. */
  async create(holder: Holder, asked: SessionRequest): Promise<SessionInfo> {
    const { sessionId, resume } = asked;
    const key = keyOf(holder.user, sessionId);
    const stored = this.#stored(key);
    if (stored === undefined) {
      if (resume?.mode === "resume" && resume.freshPrompt === undefined) throw lost(sessionId);
      const spec = this.#withModel(newSpec(asked));
      return (await this.#open.begin(key, holder, spec, undefined)).view.info();
    }
    if (resume?.mode === "create_only") throw sessionExists(sessionId, "");
    if (resume === undefined && !isSame(stored.spec, this.#withModel(newSpec(asked))))
      throw sessionExists(sessionId, ", with another specification");
    if (isOpen(stored.state) && stored.vmId !== holder.vmId)
      throw sessionExists(sessionId, `, in VM ${stored.vmId}`);
    if (isOpen(stored.state) || resume === undefined) return await this.#info(key);
    const spec = this.#withModel(resumedSpec(stored.spec, asked));
    return (await this.#open.resume(key, holder, spec, stored)).view.info();
  }

  /** Whether a session could be opened so, as far as can be known without; resolves with its runtime's name. */
  async check(spec: SessionSpec): Promise<string> {
    const runtime = this.#open.runtime(spec.runtime);
    checkSpec(spec, runtime);
    await runtime.check(spec);
    return runtime.name;
  }

  list(user: string, vmId: string | undefined): SessionSummary[] {
    const stored = this.#options.store.list(user).map(({ session }) => session);
    return stored.filter((each) => vmId === undefined || each.vmId === vmId).map(summaryOf);
  }

  /** Throws `NOT_FOUND`. */
  view(user: string, sessionId: string): SessionView {
    const open = this.#open.get(keyOf(user, sessionId));
    return open?.view ?? new SessionView(this.#closed(user, sessionId), this.#options.store);
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
    return open;
  }

  /** Throws `NOT_FOUND` or `SESSION_CLOSED`. */
  opened(user: string, sessionId: string): Session {
    const open = this.find(user, sessionId);
    if (open !== undefined) return open;
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
    const open = this.#open.get(key);
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
    const session = this.#open.get(keyOf(user, sessionId));
    const record = session?.record ?? this.#closed(user, sessionId);
    if (record.now.vmId !== vmId) throw unknownSession(sessionId);
    assertSupports(this.#open.runtime(record.now.spec.runtime), "fork");
    const key = keyOf(user, into.sessionId);
    if (this.#stored(key) !== undefined) throw sessionExists(into.sessionId, "");
    const running = session?.runningTurn;
    if (running !== undefined) throw sessionBusy(sessionId, running.turn.turnId);
    this.#open.assertRoom();
    const stored = forkOf(record.now, into);
    this.#options.store.copy(record.key, key, stored);
    return (await this.#open.startStored(key, into.fence, stored, undefined)).view.info();
  }

  /** A subagent's session below this one. */
  async spawn(
    holder: Holder,
    sessionId: string,
    childId: string,
    agent: SubagentSpec,
  ): Promise<SessionInfo> {
    const session = this.used(holder, sessionId);
    const { spec, runtime } = session.parts;
    assertSupports(runtime, "subagents");
    assertDepth(session.record.now.isSubagent, spec);
    const key = keyOf(holder.user, childId);
    const known = this.#stored(key);
    const made = childSpec(spec, agent, childId);
    if (known === undefined) {
      const above = { session, isWithin: false };
      return (await this.#open.begin(key, holder, made, above)).view.info();
    }
    if (known.parent !== sessionId || !isSame(known.spec, made)) throw sessionExists(childId, "");
    return await this.#info(key);
  }

  /** The session whose functions a subagent's calls go to. */
  parentOf(user: string, sessionId: string): string | undefined {
    const now = this.#open.get(keyOf(user, sessionId))?.record.now;
    return now?.isSubagent === true ? now.parent : undefined;
  }

  /** Ends every session, side by side. Failures are logged, and the others end all the same. */
  async close(reason: string): Promise<void> {
    await this.#open.close(reason);
  }

  async #info(key: string): Promise<SessionInfo> {
    const open = await this.#open.started(key);
    if (open !== undefined) return open.view.info();
    const stored = this.#stored(key);
    if (stored === undefined) throw unknownSession(key);
    return new SessionView(this.#open.record(key, stored), this.#options.store).info();
  }

  /** With the model that its runtime takes where none is named: it stays that one. Throws `UNKNOWN_RUNTIME`. */
  #withModel(spec: SessionSpec): SessionSpec {
    const model = spec.model ?? this.#open.runtime(spec.runtime).defaultModel?.(spec);
    return model === undefined ? spec : { ...spec, model };
  }

  #stored(key: string): StoredSession | undefined {
    return this.#open.get(key)?.record.now ?? this.#options.store.find(key);
  }

  #closed(user: string, sessionId: string): SessionRecord {
    const key = keyOf(user, sessionId);
    const stored = this.#options.store.find(key);
    if (stored === undefined) throw unknownSession(sessionId);
    return this.#open.record(key, stored);
  }
}

/** Its own id and place; what runs by itself stays with the one that it is from. */
function forkOf(from: StoredSession, into: { vmId: string; sessionId: string }): StoredSession {
  const { resume: _resume, triggers: _triggers, ...spec } = from.spec;
  return {
    ...from,
    spec: { ...spec, sessionId: into.sessionId },
    vmId: into.vmId,
    parent: from.spec.sessionId,
    isSubagent: false,
    createdAt: new Date().toISOString(),
    state: "starting",
    woken: false,
    agentTrace: null,
  };
}

function lost(sessionId: string): AgentOsError<"RESUME_LOST"> {
  const reason = "no such session is stored";
  const message = `session ${sessionId} can't be resumed: ${reason}`;
  return new AgentOsError("RESUME_LOST", message, { sessionId, reason });
}

function isSame(a: SessionSpec, b: SessionSpec): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
