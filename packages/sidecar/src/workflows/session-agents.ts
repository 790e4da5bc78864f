import type {
  WorkflowAgentHandle,
  WorkflowAgentRequest,
  WorkflowAgents,
  WorkflowAnswer,
} from "@agentos/core";
import { AgentOsError, decodeError, type SessionSpec } from "@agentos/protocol";
import type { SessionHost } from "@agentos/sessions";

/** Between two looks at a session's transcript that has nothing new. */
const LOOK_MS = 30_000;

interface Holder {
  readonly user: string;
  readonly vmId: string;
  readonly fence: number;
}

/** A workflow's agents as sessions, one for each try of a step. */
export class SessionAgents implements WorkflowAgents {
  readonly #sessions: SessionHost;
  readonly #holder: Holder;

  constructor(sessions: SessionHost, holder: Holder) {
    this.#sessions = sessions;
    this.#holder = holder;
  }

  async open(
    request: WorkflowAgentRequest,
    { signal }: { signal: AbortSignal },
  ): Promise<WorkflowAgentHandle> {
    signal.throwIfAborted();
    const { sessionId } = await this.#sessions.create(this.#holder, specOf(request));
    const agent = new SessionAgent(this.#sessions, this.#holder, sessionId);
    if (!signal.aborted) return agent;
    await agent[Symbol.asyncDispose]();
    throw cancelled();
  }
}

/** One of them. */
class SessionAgent implements WorkflowAgentHandle {
  readonly sessionId: string;
  readonly #sessions: SessionHost;
  readonly #holder: Holder;

  constructor(sessions: SessionHost, holder: Holder, sessionId: string) {
    this.#sessions = sessions;
    this.#holder = holder;
    this.sessionId = sessionId;
  }

  async run(
    task: string,
    { signal, onActivity }: { signal: AbortSignal; onActivity: () => void },
  ): Promise<WorkflowAnswer> {
    const session = this.#sessions.used(this.#holder, this.sessionId);
    const over = new AbortController();
    const cancel = (): void => void session.cancel().catch(() => undefined);
    signal.addEventListener("abort", cancel, { once: true });
    try {
      const answer = session.ask(task, "prompt");
      if (signal.aborted) cancel();
      void this.#watch(onActivity, over.signal);
      const { text, stopReason, error } = await answer;
      if (error !== undefined) throw decodeError(error);
      if (stopReason === "cancelled") throw cancelled();
      // A budget, a refusal or an interruption: the task is not done.
      if (stopReason !== "end_turn") throw new Error(`the agent stopped: ${stopReason}`);
      return { output: text, echoesTask: this.#isTerminal, exitCode: null };
    } finally {
      over.abort();
      signal.removeEventListener("abort", cancel);
    }
  }

  async nudge(text: string): Promise<void> {
    const session = this.#sessions.used(this.#holder, this.sessionId);
    const { agent, runningTurn } = session;
    if (runningTurn !== undefined && agent?.steer !== undefined) await agent.steer(text);
    // Where nothing reaches a running turn, it waits for the turn's end.
    else await session.ask(text, "send");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sessions.find(this.#holder.user, this.sessionId)?.close();
  }

  get #isTerminal(): boolean {
    const { transport } = this.#sessions.used(this.#holder, this.sessionId).parts.runtime
      .capabilities;
    return transport === "terminal";
  }

  /** Every event of the session is a sign of life. */
  async #watch(onActivity: () => void, signal: AbortSignal): Promise<void> {
    const view = this.#sessions.view(this.#holder.user, this.sessionId);
    let after = view.info().lastSeq;
    while (!signal.aborted) {
      // oxlint-disable-next-line no-await-in-loop -- The next event is what this waits for.
      const { events, ended } = await view
        .events({ after, waitMs: LOOK_MS }, signal)
        .catch(() => ({ events: [], ended: true }));
      if (signal.aborted || ended) return;
      after = events.at(-1)?.seq ?? after;
      if (events.length > 0) onActivity();
    }
  }
}

function specOf(request: WorkflowAgentRequest): SessionSpec {
  const { id, runtime, model, provider, cwd, workspaces, instructions, maxTokens } = request;
  return {
    sessionId: id,
    runtime,
    cwd,
    systemPrompt: { append: instructions },
    ...(model === undefined ? {} : { model }),
    ...(provider === undefined ? {} : { provider }),
    ...(workspaces === undefined ? {} : { workspaces: [...workspaces] }),
    ...(maxTokens === undefined ? {} : { budget: { tokens: maxTokens } }),
    // The step's own time-out and reminders say how long it may be silent.
    timeouts: { stepIdleMs: 0, inactivityMs: 0 },
  };
}

function cancelled(): AgentOsError<"CANCELLED"> {
  return new AgentOsError("CANCELLED", "the agent's turn was cancelled", { operation: "workflow" });
}
