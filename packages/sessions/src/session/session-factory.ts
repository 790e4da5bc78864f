import type { AgentRuntime, StoredSession } from "@agentos/core";
import {
  AgentOsError,
  aliasesOf,
  type SessionEvent,
  type SessionSpec,
  type SubagentSpec,
} from "@agentos/protocol";

import type { Subagents } from "../subagents.ts";
import { buildSession } from "./build-session.ts";
import { depthOf, withDefaultTools } from "./child-spec.ts";
import { asAgentOsError, errorFacts } from "./deadline.ts";
import { FlushGroup } from "./flush-group.ts";
import type { Session } from "./session.ts";
import type { ParentSession, SessionHostOptions } from "./session-parts.ts";
import { SessionRecord } from "./session-record.ts";
import { SessionSubagents } from "./session-subagents.ts";
import type { LeftTurns } from "./settle-interrupted.ts";
import { TranscriptRoom } from "./transcript-room.ts";

/** What a session is below. */
export interface Above {
  readonly session: Session;
  /** A tool started it: its events and requests are told above. */
  readonly isWithin: boolean;
}

/** What a session that is built asks of those that are open. */
export interface SessionNeighbours {
  get(key: string): Session | undefined;
  /** Opens a subagent's session below `above`. */
  beginBelow(above: Above, agent: SubagentSpec, childId: string): Promise<Session>;
  closed(key: string, session: Session, above: Above | undefined): void;
}

export interface SessionBuild {
  readonly record: SessionRecord;
  readonly fence: number;
  readonly above: Above | undefined;
  /** What an earlier life left of its turns. */
  readonly left?: LeftTurns;
}

/** Makes sessions of what is stored, with what all of them share. */
export class SessionFactory {
  readonly #options: SessionHostOptions;
  readonly #neighbours: SessionNeighbours;
  readonly #runtimes: ReadonlyMap<string, AgentRuntime>;
  readonly #flushes: FlushGroup;
  readonly #room: TranscriptRoom;

  constructor(options: SessionHostOptions, neighbours: SessionNeighbours) {
    this.#options = options;
    this.#neighbours = neighbours;
    this.#runtimes = new Map(options.runtimes.map((runtime) => [runtime.name, runtime]));
    this.#flushes = new FlushGroup(options.store);
    this.#room = new TranscriptRoom({
      store: options.store,
      log: options.log,
      capacity: options.transcriptBytes,
      forget: (key, why) => this.#forgetTranscript(key, why),
    });
  }

  /** Undefined: this sidecar has none of that name. */
  findRuntime(name: string): AgentRuntime | undefined {
    return this.#runtimes.get(name);
  }

  /** Throws `UNKNOWN_RUNTIME`. */
  runtime(name: string): AgentRuntime {
    const runtime = this.findRuntime(name);
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
      this.#neighbours.get(key)?.runningTurn?.stop(end);
    };
    const { user, spec } = stored;
    const ref = { user, sessionId: spec.sessionId };
    const onStored = (events: readonly SessionEvent[]): void => onEvents?.(ref, events);
    const flushes = this.#flushes;
    return new SessionRecord({ key, store, stored, clock, flushes, onStored, onFault });
  }

  /** Throws `UNKNOWN_RUNTIME`; `NOT_FOUND` or `VM_ENDED` where its VM is gone. */
  build({ record, fence, above, left }: SessionBuild): Session {
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
        this.#neighbours.closed(record.key, session, above);
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
        const above = { session: own(), isWithin: true };
        return await this.#neighbours.beginBelow(above, withDefaultTools(agent), childId);
      },
    });
  }

  #forgetTranscript(key: string, message: string): void {
    const stored = this.#options.store.find(key);
    if (stored === undefined) return;
    const entries = [{ turnId: null, happening: { type: "notice" as const, message } }];
    this.record(key, stored).write({ dropEventsTo: stored.lastSeq, entries });
  }
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
