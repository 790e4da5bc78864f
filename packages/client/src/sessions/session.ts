import { randomUUID } from "node:crypto";

import {
  AgentOsError,
  type Content,
  DEFAULTS,
  isAgentOsError,
  type RequestAnswer,
  type SessionEvent,
  type SessionInfo,
  type Step,
} from "@agentos/protocol";

import type { AgentOs } from "../agent-os.ts";
import type { VmAdmin } from "../leases/vm-admin.ts";
import { answerRequests } from "./answer-requests.ts";
import { BoundFunctions, type SessionFunction } from "./session-functions.ts";
import { type RequestHandler, type SubagentOptions, wireAgent } from "./session-options.ts";
import type { SessionForkOptions, SessionPlace } from "./session-place.ts";
import { readSession } from "./session-reader.ts";
import { Turn } from "./turn.ts";

/** An agent's own end, its tree's, and the answer. */
const CLOSE_MS = DEFAULTS.agentShutdownMs + DEFAULTS.requestMs;

export interface PromptOptions {
  /** Cancels the turn. */
  readonly signal?: AbortSignal;
  /** While another turn runs. Default `queue`. */
  readonly whenBusy?: "queue" | "reject";
  /** Waits for a rate limit's reset and goes on. Default false. */
  readonly resumeOnRateLimit?: boolean;
}

export interface WaitOptions {
  /** Default: as long as it takes. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface EventOptions {
  /** The last seq that the reader has. Default 0: from the beginning. */
  readonly after?: number;
  readonly signal?: AbortSignal;
}

export interface SessionStart {
  readonly functions: ReadonlyMap<string, SessionFunction>;
  readonly onRequest?: RequestHandler | undefined;
}

/** A fork of a session, and the VM that it is in. */
export interface SessionFork {
  readonly os: AgentOs;
  readonly session: Session;
}

/** One conversation with an agent in a VM. Disposing closes it; its state stays. */
export class Session implements AsyncDisposable {
  readonly id: string;
  readonly #place: SessionPlace;
  readonly #admin: VmAdmin;
  readonly #functions: BoundFunctions;
  readonly #answering = new AbortController();

  constructor(
    place: SessionPlace,
    sessionId: string,
    functions: ReadonlyMap<string, SessionFunction>,
  ) {
    this.id = sessionId;
    this.#place = place;
    this.#admin = place.admin;
    this.#functions = new BoundFunctions(place.admin, sessionId, functions);
  }

  /** Says something to the agent as one turn. A running one goes first. */
  prompt(content: Content, options: PromptOptions = {}): Turn {
    const turnId = `turn-${randomUUID()}`;
    const accepted = this.#prompt(turnId, content, "prompt", options);
    const { signal } = options;
    return new Turn(this.#admin, { sessionId: this.id, turnId, accepted, signal });
  }

  /** The same without reading the reply; resolves once the turn is stored. */
  async send(content: Content): Promise<{ turnId: string }> {
    const turnId = `turn-${randomUUID()}`;
    await this.#prompt(turnId, content, "send", {});
    return { turnId };
  }

  /** Ends the running turn, and says which; `null` where none ran. */
  async cancel(): Promise<{ turnId: string | null }> {
    return await this.#admin.request("session.cancel", this.#held);
  }

  /** Gives the running turn more to think about, and says which; `null` where none ran. Rejects with `UNSUPPORTED` where the runtime can't. */
  async steer(content: Content): Promise<{ turnId: string | null }> {
    return await this.#admin.request("session.steer", { ...this.#held, content });
  }

  /** Has the agent use another model from now on. Rejects with `MODEL_SWITCH_FAILED`, or `UNSUPPORTED` where the runtime can't. */
  async setModel(model: string): Promise<void> {
    await this.#admin.request("session.setModel", { ...this.#held, model });
  }

  /** Puts the agent into another of its own modes: `info()` lists them. Rejects with `INVALID_ARGUMENT` for one that it has not, or `UNSUPPORTED` where it has none. */
  async setMode(mode: string): Promise<void> {
    await this.#admin.request("session.setMode", { ...this.#held, mode });
  }

  /** Has the agent sum up its conversation, between turns. Rejects with `SESSION_BUSY`, or `UNSUPPORTED` where the runtime can't. */
  async compact(options: { signal?: AbortSignal } = {}): Promise<void> {
    const asking = { signal: options.signal, deadlineMs: null };
    await this.#admin.request("session.compact", this.#held, asking);
  }

  /** Answers a permission request or a question. Rejects with `REQUEST_SETTLED` where it has its answer. */
  async respond(requestId: string, answer: RequestAnswer): Promise<void> {
    await this.#admin.request("session.respond", { ...this.#held, requestId, answer });
  }

  /** Resolves when no turn runs or waits. Rejects with `DEADLINE_EXCEEDED` at the time-out. */
  async waitForIdle(options: WaitOptions = {}): Promise<void> {
    const { signal, ...params } = { sessionId: this.id, ...options };
    const asking = { signal, deadlineMs: null };
    const { idle } = await this.#admin.request("session.waitForIdle", params, asking);
    if (!idle) throw late(this.id, options.timeoutMs ?? 0);
  }

  /** True once something woke the session since `signalIdle`; false at the time-out. */
  async waitForWakeup(options: WaitOptions = {}): Promise<boolean> {
    const { signal, ...params } = { sessionId: this.id, ...options };
    const asking = { signal, deadlineMs: null };
    return (await this.#admin.request("session.waitForWakeup", params, asking)).woken;
  }

  /** Forgets what woke the session so far. */
  async signalIdle(): Promise<void> {
    await this.#admin.request("session.signalIdle", this.#held);
  }

  /** What the session is now: state, counts, usage, open requests, tools. */
  async info(): Promise<SessionInfo> {
    return await this.#admin.request("session.info", { sessionId: this.id });
  }

  /** The history's steps after an index, oldest first. */
  async history(options: { after?: number; limit?: number } = {}): Promise<Step[]> {
    const { steps } = await this.#admin.request("session.history", {
      sessionId: this.id,
      ...options,
    });
    return steps;
  }

  /** Clears history, turn count, compactions and last response. The model's context stays. */
  async clearHistory(): Promise<void> {
    await this.#admin.request("session.clearHistory", this.#held);
  }

  /** Every event, from a place on, as they come; ends with the session. */
  events({ after = 0, signal }: EventOptions = {}): AsyncIterable<SessionEvent> {
    return readSession(this.#admin, { sessionId: this.id, after, signal });
  }

  /** Opens a subagent's session below this one, in the same VM. */
  async spawn(agent: SubagentOptions): Promise<Session> {
    const functions = new Map<string, SessionFunction>();
    const params = { ...this.#held, childId: `session-${randomUUID()}` };
    const wire = wireAgent(agent, functions);
    const info = await this.#admin.request("session.spawn", { ...params, agent: wire });
    return await openSession(this.#place, info.sessionId, { functions });
  }

  /**
   * A second session that goes on from this one's state, in a new VM with this VM's files as they are now. The VM is
   * yours to dispose. Rejects with `SESSION_BUSY` while a turn runs, or `UNSUPPORTED`; then there is no new VM.
   */
  async fork(options: SessionForkOptions = {}): Promise<SessionFork> {
    const os = await this.#place.forkVm(options);
    try {
      return { os, session: await os.sessions.fork(this) };
    } catch (error) {
      // A VM of that name would be in the way of the next try.
      await os.end();
      await os.dispose();
      throw error;
    }
  }

  /** The session's state in another leased VM; `Sessions.fork` makes a session of it. */
  async forkInto(into: { vmId: string; fence: number; sessionId: string }): Promise<SessionInfo> {
    return await this.#admin.request("session.fork", { ...this.#held, into });
  }

  /** Ends the agent and every process of it; the state is kept, to be resumed by its id. */
  async close(): Promise<void> {
    await this.#admin.request("session.close", this.#held, { deadlineMs: CLOSE_MS });
    this.detach();
  }

  /** Closes the session and forgets it. */
  async delete(): Promise<void> {
    const params = { sessionId: this.id };
    await this.#admin.request("session.delete", params, { deadlineMs: CLOSE_MS });
    this.detach();
  }

  /** Leaves the session as it is: this program's functions and answers are no longer there for it. */
  detach(): void {
    this.#answering.abort();
    this.#functions.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.close();
    } catch (error) {
      // Gone with its VM or lease, it is closed.
      const gone = ["DISPOSED", "FENCED", "NOT_FOUND", "VM_ENDED", "SIDECAR_LOST"] as const;
      if (!gone.some((code) => isAgentOsError(error, code))) throw error;
      this.detach();
    }
  }

  /** Tells the sidecar which functions are here, and answers requests from now on. */
  async attach(onRequest: RequestHandler | undefined): Promise<void> {
    await this.#functions.bind();
    if (onRequest !== undefined) void answerRequests(this, onRequest, this.#answering.signal);
  }

  get #held(): { vmId: string; fence: number; sessionId: string } {
    return { ...this.#admin.scope, sessionId: this.id };
  }

  async #prompt(
    turnId: string,
    content: Content,
    source: "prompt" | "send",
    { whenBusy, resumeOnRateLimit }: PromptOptions,
  ): Promise<number> {
    const { seq } = await this.#admin.request("session.prompt", {
      ...this.#held,
      turnId,
      content,
      source,
      ...(whenBusy === undefined ? {} : { whenBusy }),
      ...(resumeOnRateLimit === undefined ? {} : { resumeOnRateLimit }),
    });
    return seq;
  }
}

/** A session that the sidecar has, with this program's functions told to it. */
export async function openSession(
  place: SessionPlace,
  sessionId: string,
  { functions, onRequest }: SessionStart,
): Promise<Session> {
  const session = new Session(place, sessionId, functions);
  await session.attach(onRequest);
  return session;
}

function late(sessionId: string, deadlineMs: number): AgentOsError {
  const message = `session ${sessionId} was not idle within ${deadlineMs} ms`;
  return new AgentOsError("DEADLINE_EXCEEDED", message, {
    operation: "waitForIdle",
    deadlineMs,
  });
}
