import type {
  AgentPlace,
  AgentSessions,
  AgentUse,
  SessionLook,
  SessionRef,
  TurnProgress,
} from "@agentos/core";
import {
  AgentOsError,
  type Content,
  type ProcessInfo,
  type SessionEvent,
  type SessionSpec,
  withoutAlias,
} from "@agentos/protocol";
import { writeVmFile } from "@agentos/runtimes";
import type { Session, SessionHost } from "@agentos/sessions";

import { BOUNDS } from "../bounds.ts";
import { errorFacts, type Log } from "../log.ts";

type Listener = (ref: SessionRef, events: readonly SessionEvent[]) => void;

export interface SessionAgentsOptions {
  readonly sessions: () => SessionHost;
  readonly log: Log;
}

/** The sessions of this sidecar as the relay uses them. */
export class SessionAgents implements AgentSessions {
  readonly #options: SessionAgentsOptions;
  readonly #listeners = new Set<Listener>();

  constructor(options: SessionAgentsOptions) {
    this.#options = options;
  }

  /** What the engine calls with every event. */
  told(ref: SessionRef, events: readonly SessionEvent[]): void {
    for (const listener of this.#listeners) {
      try {
        listener(ref, events);
      } catch (error) {
        // The session has written what it had to: what the relay makes of it is the relay's trouble.
        const facts = { sessionId: ref.sessionId, ...errorFacts(error) };
        this.#options.log.error(facts, "the relay could not use a session's event");
      }
    }
  }

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async open(place: AgentPlace, spec: SessionSpec): Promise<void> {
    await this.#sessions.create(place, spec);
  }

  async check(_place: AgentPlace, spec: SessionSpec): Promise<string> {
    return await this.#sessions.check(withoutAlias(spec));
  }

  look(ref: SessionRef): SessionLook | undefined {
    const session = this.#find(ref);
    if (session === undefined) return undefined;
    const { now } = session.record;
    return {
      state: now.state,
      transport: session.parts.runtime.capabilities.transport,
      canSteer: session.agent?.steer !== undefined,
      model: now.spec.model ?? null,
      lastSeq: now.lastSeq,
    };
  }

  place(ref: SessionRef): AgentPlace | undefined {
    const access = this.#find(ref)?.parts.access;
    if (access === undefined) return undefined;
    return { user: ref.user, vmId: access.vmId, fence: access.fence };
  }

  prompt(ref: SessionRef, turn: { turnId: string; content: Content }): { seq: number } {
    const session = this.#sessions.opened(ref.user, ref.sessionId);
    const { fence } = session.parts.access;
    return session.prompt({ ...turn, source: "message", fence });
  }

  async progress(ref: SessionRef, turnId: string, seq: number): Promise<TurnProgress> {
    const view = this.#sessions.view(ref.user, ref.sessionId);
    const never = new AbortController().signal;
    let begun = false;
    for (let after = seq; ;) {
      // oxlint-disable-next-line no-await-in-loop -- A batch at a time.
      const { events } = await view.events({ after }, never);
      for (const event of events) {
        if (event.turnId !== turnId) continue;
        if (event.type === "turn_start") begun = true;
        if (event.type === "turn_end") return { begun, result: event.result };
      }
      const last = events.at(-1);
      if (last === undefined) return { begun, result: undefined };
      after = last.seq;
    }
  }

  async steer(ref: SessionRef, content: Content): Promise<boolean> {
    const session = this.#find(ref);
    if (session?.agent?.steer === undefined) return false;
    return (await session.controls.steer(content)) !== null;
  }

  async cancel(ref: SessionRef, turnId: string): Promise<void> {
    await this.#find(ref)?.cancel(turnId);
  }

  async setModel(ref: SessionRef, model: string, timeoutMs: number): Promise<void> {
    const session = this.#sessions.opened(ref.user, ref.sessionId);
    const switched = session.controls.setModel(model, session.parts.access.fence);
    const late = Promise.withResolvers<never>();
    const cancel = session.parts.host.clock.after(timeoutMs, () => late.reject(tooLate(timeoutMs)));
    try {
      await Promise.race([switched, late.promise]);
    } finally {
      cancel();
    }
  }

  async input(ref: SessionRef, data: string): Promise<number> {
    const { agent, parts } = this.#sessions.opened(ref.user, ref.sessionId);
    if (agent?.input === undefined) throw unsupported("input for an agent without a terminal");
    const { access, host } = parts;
    // A VM that nobody leases is frozen: what was typed has this long to act.
    const release = access.hold(access.fence, () => undefined);
    host.clock.after(BOUNDS.typedMs, release);
    return await agent.input(data);
  }

  wake(ref: SessionRef): void {
    const session = this.#find(ref);
    session?.held(session.parts.access.fence);
  }

  async revive(ref: SessionRef): Promise<void> {
    await this.#sessions.opened(ref.user, ref.sessionId).revive();
  }

  async close(ref: SessionRef, reason: string): Promise<void> {
    await this.#find(ref)?.close(reason);
  }

  async use(ref: SessionRef): Promise<AgentUse> {
    const session = this.#find(ref);
    const own = session?.agent?.pids?.() ?? [];
    if (session === undefined || own.length === 0)
      return { pids: [], memoryBytes: null, cpuMs: null };
    const { processes } = await session.parts.access.handle().processes();
    const found = withDescendants(processes, own);
    return {
      pids: found.map(({ pid }) => pid),
      memoryBytes: found.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
      cpuMs: found.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
    };
  }

  async writeFile(ref: SessionRef, path: string, text: string): Promise<void> {
    const session = this.#sessions.opened(ref.user, ref.sessionId);
    await writeVmFile(session.parts.access.handle().files, path, text);
  }

  get #sessions(): SessionHost {
    return this.#options.sessions();
  }

  #find({ user, sessionId }: SessionRef): Session | undefined {
    try {
      return this.#sessions.find(user, sessionId);
    } catch {
      // Deleted, or never there: for the relay that is the same as closed.
      return undefined;
    }
  }
}

function withDescendants(all: readonly ProcessInfo[], roots: readonly number[]): ProcessInfo[] {
  const known = new Set(roots);
  for (let size = -1; size !== known.size;) {
    size = known.size;
    for (const { pid, ppid } of all) if (known.has(ppid)) known.add(pid);
  }
  return all.filter(({ pid }) => known.has(pid));
}

function unsupported(what: string): AgentOsError<"UNSUPPORTED"> {
  return new AgentOsError("UNSUPPORTED", `there is no ${what}`, { what });
}

function tooLate(deadlineMs: number): AgentOsError<"DEADLINE_EXCEEDED"> {
  const operation = "switching the agent's model";
  const message = `${operation} took longer than ${deadlineMs} ms`;
  return new AgentOsError("DEADLINE_EXCEEDED", message, { operation, deadlineMs });
}
