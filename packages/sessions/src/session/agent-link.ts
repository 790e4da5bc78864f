import type { RuntimeSession, SessionTool, StoredTrace, StoredTurn } from "@agentos/core";
import {
  AgentOsError,
  type Content,
  DEFAULTS,
  encodeError,
  isAgentOsError,
  type RateLimitWindow,
  type ToolInfo,
} from "@agentos/protocol";

import type { ToolDesk } from "../tool-desk.ts";
import { AgentHost } from "./agent-host.ts";
import { EarlierCalls } from "./earlier-calls.ts";
import { asAgentOsError, deadlineExceeded, errorFacts, within } from "./deadline.ts";
import { SessionDoors } from "./session-doors.ts";
import { DEFAULT_CWD, type SessionParts } from "./session-parts.ts";
import { announcements } from "./announcements.ts";
import type { TurnRun } from "./turn-run.ts";

interface Adoption {
  readonly turn: StoredTurn;
  readonly trace: StoredTrace;
}

export interface OpenAgent {
  readonly session: RuntimeSession;
  readonly host: AgentHost;
  /** Why it is gone, once it is gone by itself. */
  exit: AgentOsError | undefined;
  /** Aborted then. */
  readonly gone: AbortController;
}

/** One session's agent: opened when it is needed, given up when it is lost, never two at once. */
export class AgentLink {
  readonly #parts: SessionParts;
  readonly #run: () => TurnRun | undefined;
  readonly #doors: SessionDoors;
  #desk: ToolDesk | undefined;
  #agent: OpenAgent | undefined;
  #isFreshUsed = false;
  #owesFreshPrompt = false;
  /** Ends of agents that were given up. Never rejects. */
  #ending: Promise<void> = Promise.resolve();
  #endFailure: AgentOsError | undefined;

  constructor(parts: SessionParts, run: () => TurnRun | undefined) {
    this.#parts = parts;
    this.#run = run;
    this.#doors = new SessionDoors(parts, { run, agent: () => this.#agent?.host });
  }

  /** What the agent may call; empty until it was opened. */
  get tools(): readonly ToolInfo[] {
    return this.#desk?.tools ?? [];
  }

  /** As the session's provider said them last. */
  get rateLimits(): readonly RateLimitWindow[] {
    return this.#doors.rateLimits;
  }

  /** The agent's own session, while it lives. */
  get session(): RuntimeSession | undefined {
    return this.#agent?.exit === undefined ? this.#agent?.session : undefined;
  }

  /** The agent, opened where it is not. */
  async ready(signal: AbortSignal): Promise<OpenAgent> {
    if (this.#agent !== undefined && this.#agent.exit === undefined) return this.#agent;
    this.drop();
    await this.#ending;
    signal.throwIfAborted();
    const known = this.#parts.record.now.agentSessionId ?? undefined;
    try {
      return await this.#open(known, signal);
    } catch (error) {
      if (known === undefined || !this.mayStartFresh(error)) throw error;
      return await this.#openFresh(signal);
    }
  }

  /** The agent of an earlier life, in the middle of this turn. Rejects where it can't be taken over. */
  async adopt(turn: StoredTurn, trace: StoredTrace, signal: AbortSignal): Promise<OpenAgent> {
    const known = this.#parts.record.now.agentSessionId ?? undefined;
    return await this.#open(known, signal, { turn, trace });
  }

  /** Nothing was known from the beginning: the one fresh start is this one. */
  oweFreshPrompt(): void {
    this.#isFreshUsed = true;
    this.#owesFreshPrompt = true;
  }

  /** The prompt to use in place of the next one: the agent has begun anew since the last. */
  takeFreshPrompt(): Content | undefined {
    if (!this.#owesFreshPrompt) return undefined;
    this.#owesFreshPrompt = false;
    return this.#parts.spec.resume?.freshPrompt;
  }

  /** Whether a lost session may be begun anew: once, and only where that was asked for. */
  mayStartFresh(error: unknown): boolean {
    if (!isAgentOsError(error, "RESUME_LOST") || this.#isFreshUsed) return false;
    const { resume } = this.#parts.spec;
    return resume?.freshPrompt !== undefined || resume?.mode === "create_or_resume";
  }

  /** Begins anew what the agent has lost. */
  async startFresh(signal: AbortSignal): Promise<void> {
    this.drop();
    await this.#ending;
    await this.#openFresh(signal);
  }

  /** Gives the agent up: whatever it still says has no effect, and its processes are ended. */
  drop(): void {
    const agent = this.#agent;
    if (agent === undefined) return;
    this.#agent = undefined;
    agent.host.end();
    this.#end(agent.session);
  }

  /** Rejects where something of the agent may be left after `shutdownMs`. */
  async close(): Promise<void> {
    this.drop();
    await this.#ending;
    const desk = this.#desk;
    this.#desk = undefined;
    this.#end(this.#doors);
    if (desk !== undefined) this.#end(desk);
    await this.#ending;
    if (this.#endFailure !== undefined) throw this.#endFailure;
  }

  async #openFresh(signal: AbortSignal): Promise<OpenAgent> {
    this.#isFreshUsed = true;
    this.#owesFreshPrompt = true;
    this.#parts.record.write({ change: { agentSessionId: null } });
    this.#parts.notice("the agent has lost its session: it begins anew");
    return await this.#open(undefined, signal);
  }

  async #open(
    agentSessionId: string | undefined,
    signal: AbortSignal,
    adoption?: Adoption,
  ): Promise<OpenAgent> {
    const startMs = this.#parts.spec.timeouts?.startMs ?? DEFAULTS.agentStartMs;
    const controller = new AbortController();
    const abort = (): void => controller.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const work = this.#make(agentSessionId, controller.signal, adoption);
    const aborted = Promise.withResolvers<never>();
    controller.signal.addEventListener("abort", () => aborted.reject(controller.signal.reason));
    aborted.promise.catch(() => undefined);
    try {
      const { clock } = this.#parts.host;
      const agent = await within(clock, startMs, Promise.race([work, aborted.promise]));
      if (agent === undefined) throw deadlineExceeded("starting the agent", startMs);
      this.#keep(agent);
      return agent;
    } catch (error) {
      this.#abandon(work);
      controller.abort(error);
      throw asAgentOsError(error);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  async #make(
    agentSessionId: string | undefined,
    signal: AbortSignal,
    adoption: Adoption | undefined,
  ): Promise<OpenAgent> {
    const { runtime, record } = this.#parts;
    // As it is now: its model may have been changed.
    const { spec } = record.now;
    const desk = await this.#openDesk(signal);
    const cwd = spec.cwd ?? DEFAULT_CWD;
    const host = new AgentHost({
      parts: this.#parts,
      desk,
      doors: this.#doors,
      run: this.#run,
      earlier: adoption && this.#earlier(adoption.turn),
    });
    const request = {
      sessionId: record.sessionId,
      spec,
      cwd,
      tools: desk.tools,
      announcements: await announcements(spec, this.#parts.access),
      initialHistory: spec.initialHistory ?? [],
      agentSessionId,
    };
    const session =
      adoption === undefined
        ? await runtime.open(request, host, { signal })
        : await runtime.adopt?.(request, host, adoption.trace, { signal });
    if (session === undefined) throw unadoptable(runtime.name);
    for (const result of adoption?.trace.results ?? []) host.endAgain(result);
    return { session, host, exit: undefined, gone: new AbortController() };
  }

  #earlier({ turnId, seq }: StoredTurn): EarlierCalls {
    const { host, record } = this.#parts;
    return new EarlierCalls(host.store, record.key, turnId, seq);
  }

  async #openDesk(signal: AbortSignal): Promise<ToolDesk> {
    if (this.#desk !== undefined) return this.#desk;
    const { host, record, spec, access, hooks, callbacks, requests, subagents, notice, runtime } =
      this.#parts;
    const { openTools, clock } = host;
    const cwd = spec.cwd ?? DEFAULT_CWD;
    const { sessionId } = record;
    const desk = await openTools(
      {
        sessionId,
        spec,
        cwd,
        vm: access,
        hooks,
        requests,
        callbacks,
        subagents,
        clock,
        builtinTools: runtime.capabilities.builtinTools,
        given: this.#given(),
        notice,
      },
      { signal },
    );
    if (signal.aborted) {
      this.#end(desk);
      signal.throwIfAborted();
    }
    this.#desk = desk;
    return desk;
  }

  /** What the sidecar gives this session's agent, where it has a way to it. */
  #given(): readonly SessionTool[] {
    const { host, record, runtime, access, notice } = this.#parts;
    const { user, vmId } = record.now;
    const session = { user, sessionId: record.sessionId, vmId };
    const tools = (host.toolSources ?? []).flatMap((source) => [...source.tools(session)]);
    if (tools.length === 0 || runtime.capabilities.builtinTools) return tools;
    if (host.toolDoors !== undefined && access.handle().network !== undefined) return tools;
    notice(`this agent has no way to ${tools.map(({ name }) => name).join(", ")}`);
    return [];
  }

  #keep(agent: OpenAgent): void {
    this.#agent = agent;
    void (async () => {
      const exit = await agent.session.exited;
      agent.exit = exit;
      agent.gone.abort();
      // One that was given up goes as it was told to.
      if (this.#agent === agent) this.#tellExit(exit);
    })();
  }

  #tellExit(exit: AgentOsError): void {
    const { record, host } = this.#parts;
    const turnId = this.#run()?.turn.turnId ?? null;
    const happening = { type: "agent_exited" as const, error: encodeError(exit) };
    try {
      record.write({ entries: [{ turnId, happening }] });
    } catch (error) {
      // The next turn starts the agent anew all the same.
      const facts = { sessionId: record.sessionId, ...errorFacts(error) };
      host.log.error(facts, "an agent's end was not written");
    }
  }

  /** It may still come: then it is ended at once. What comes next waits for that, within its time. */
  #abandon(work: Promise<OpenAgent>): void {
    this.#end({
      [Symbol.asyncDispose]: async () => {
        // Its failure was told to whoever waited.
        const late = await work.catch(() => undefined);
        late?.host.end();
        await late?.session[Symbol.asyncDispose]();
      },
    });
  }

  #end(what: AsyncDisposable): void {
    const { host, record, spec } = this.#parts;
    const ms = spec.timeouts?.shutdownMs ?? DEFAULTS.agentShutdownMs;
    const ended = within(
      host.clock,
      ms,
      // A throw before the first await is a failure as any other.
      Promise.resolve().then(async () => {
        await what[Symbol.asyncDispose]();
        return true;
      }),
    ).then(
      (isGone) => (isGone === true ? undefined : deadlineExceeded("ending the agent", ms)),
      (error: unknown) => asAgentOsError(error),
    );
    const before = this.#ending;
    this.#ending = (async () => {
      await before;
      const failure = await ended;
      if (failure === undefined) return;
      this.#endFailure ??= failure;
      const facts = { sessionId: record.sessionId, ...errorFacts(failure) };
      host.log.error(facts, "an agent did not end as it should");
    })();
  }
}

function unadoptable(runtime: string): AgentOsError<"UNSUPPORTED"> {
  const what = `going on with a turn of ${runtime} in another life of the sidecar`;
  return new AgentOsError("UNSUPPORTED", `${what} can't be had`, { what });
}
