import type {
  Clock,
  WorkflowAgentHandle,
  WorkflowAgentRequest,
  WorkflowAgents,
  WorkflowAnswer,
} from "@agentos/core";
import { type AgentSpec, AgentOsError, decodeError, isAgentOsError } from "@agentos/protocol";
import type { Relay, UserRelay } from "@agentos/relay";
import type { SessionHost } from "@agentos/sessions";

/** Between two looks at a session's transcript that has nothing new. */
const LOOK_MS = 30_000;
/** For what was written to an agent before it was done. */
const MAIL_MS = 120_000;
/** Of a run's id, in its agents' names. */
const RUN_CHARACTERS = 8;

interface Holder {
  readonly user: string;
  readonly vmId: string;
  readonly fence: number;
}

export interface RelayAgentsOptions {
  readonly sessions: SessionHost;
  readonly relay: Relay;
  readonly clock: Clock;
}

/** A workflow's agents as agents of the relay, one for each try of a step. */
export class RelayAgents implements WorkflowAgents {
  readonly #options: RelayAgentsOptions;
  readonly #holder: Holder;

  constructor(options: RelayAgentsOptions, holder: Holder) {
    this.#options = options;
    this.#holder = holder;
  }

  async open(
    request: WorkflowAgentRequest,
    { signal }: { signal: AbortSignal },
  ): Promise<WorkflowAgentHandle> {
    signal.throwIfAborted();
    const relay = this.#options.relay.of(this.#holder.user);
    await relay.spawn(this.#holder, request.id, specOf(request, freeName(relay, request)));
    const agent = new RelayAgent(this.#options, relay, this.#holder, request);
    if (!signal.aborted) return agent;
    await agent[Symbol.asyncDispose]();
    throw cancelled();
  }
}

/** One of them. */
class RelayAgent implements WorkflowAgentHandle {
  readonly sessionId: string;
  readonly #sessions: SessionHost;
  readonly #clock: Clock;
  readonly #relay: UserRelay;
  readonly #holder: Holder;
  /** Before each task, of which a program that has no system prompt knows nothing else. */
  readonly #preamble: string;

  constructor(
    { sessions, clock }: RelayAgentsOptions,
    relay: UserRelay,
    holder: Holder,
    { id: sessionId, command, instructions }: WorkflowAgentRequest,
  ) {
    this.#preamble = command === undefined ? "" : `${instructions}\n\n`;
    this.#sessions = sessions;
    this.#clock = clock;
    this.#relay = relay;
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
      const answer = session.ask(`${this.#preamble}${task}`, "prompt");
      if (signal.aborted) cancel();
      void this.#watch(onActivity, over.signal);
      const { text, stopReason, error } = await answer;
      if (error !== undefined) throw decodeError(error);
      if (stopReason === "cancelled") throw cancelled();
      // A budget, a refusal or an interruption: the task is not done.
      if (stopReason !== "end_turn") throw new Error(`the agent stopped: ${stopReason}`);
      await this.#readMail(signal);
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
    const agent = this.#relay.roster.byId(this.sessionId);
    try {
      if (agent !== undefined) await this.#relay.release(agent.name, "its step is over");
    } catch (error) {
      // It died meanwhile, and its session was closed with it.
      if (!isAgentOsError(error, "NOT_FOUND")) throw error;
    }
    await this.#sessions.find(this.#holder.user, this.sessionId)?.close();
  }

  /** What others wrote to it before it was done: each is a turn of its own, before its task is over. */
  async #readMail(signal: AbortSignal): Promise<void> {
    const agent = this.#relay.roster.byId(this.sessionId);
    if (signal.aborted || agent === undefined) return;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const stop = (): void => resolve();
    const cancel = this.#clock.after(MAIL_MS, stop);
    signal.addEventListener("abort", stop, { once: true });
    await Promise.race([agent.mailbox.emptied(), late]);
    signal.removeEventListener("abort", stop);
    cancel();
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

/** The workflow's name for it and its run's end: the same agent in two steps at a time is two. */
function freeName(relay: UserRelay, { agent, runId }: WorkflowAgentRequest): string {
  const run = runId.slice(-RUN_CHARACTERS);
  for (let count = 1; ; count += 1) {
    const name = count === 1 ? `${agent}@${run}` : `${agent}@${run}.${count}`;
    if (!relay.roster.has(name)) return name;
  }
}

function specOf(request: WorkflowAgentRequest, name: string): AgentSpec {
  const { runId, agent, channels, mayWriteTo } = request;
  return {
    name,
    session: sessionOf(request),
    workflow: { run: runId, agent },
    channels: [...channels],
    sendTo: [...mayWriteTo],
    // Whoever writes to one that works wants to be heard before its step is over.
    delivery: "steer",
    // The run itself watches for idleness.
    idleMs: 0,
  };
}

function sessionOf(request: WorkflowAgentRequest): AgentSpec["session"] {
  const { runtime, command, model, provider, cwd, workspaces, instructions, maxTokens } = request;
  return {
    runtime,
    cwd,
    ...(command === undefined
      ? { systemPrompt: { append: instructions } }
      : { command: command.command, args: [...command.args] }),
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
