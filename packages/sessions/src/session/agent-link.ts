import type { RuntimeSession, StoredTrace, StoredTurn } from "@agentos/core";
import {
  type AgentOsError,
  type Content,
  DEFAULTS,
  encodeError,
  isAgentOsError,
  type RateLimitWindow,
  type ToolInfo,
} from "@agentos/protocol";

import { AgentEnds } from "./agent-ends.ts";
import { type Adoption, AgentMaker, type MadeAgent } from "./agent-maker.ts";
import { asAgentOsError, deadlineExceeded, errorFacts, within } from "./deadline.ts";
import { SessionDoors } from "./session-doors.ts";
import type { SessionParts } from "./session-parts.ts";
import type { TurnRun } from "./turn-run.ts";

export interface OpenAgent extends MadeAgent {
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
  readonly #ends: AgentEnds;
  readonly #maker: AgentMaker;
  #agent: OpenAgent | undefined;
  #isFreshUsed = false;
  #owesFreshPrompt = false;

  constructor(parts: SessionParts, run: () => TurnRun | undefined) {
    this.#parts = parts;
    this.#run = run;
    this.#doors = new SessionDoors(parts, { run, agent: () => this.#agent?.host });
    this.#ends = new AgentEnds(parts);
    this.#maker = new AgentMaker({ parts, run, doors: this.#doors, ends: this.#ends });
  }

  /** What the agent may call; empty until it was opened. */
  get tools(): readonly ToolInfo[] {
    return this.#maker.tools;
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
    await this.#ends.all;
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
    await this.#ends.all;
    await this.#openFresh(signal);
  }

  /** Gives the agent up: whatever it still says has no effect, and its processes are ended. */
  drop(): void {
    const agent = this.#agent;
    if (agent === undefined) return;
    this.#agent = undefined;
    agent.host.end();
    this.#ends.end(agent.session);
  }

  /** Rejects where something of the agent may be left after `shutdownMs`. */
  async close(): Promise<void> {
    this.drop();
    await this.#ends.all;
    this.#ends.end(this.#doors);
    this.#maker.close();
    await this.#ends.all;
    if (this.#ends.failure !== undefined) throw this.#ends.failure;
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
    const work = this.#maker.make(agentSessionId, controller.signal, adoption);
    const aborted = Promise.withResolvers<never>();
    controller.signal.addEventListener("abort", () => aborted.reject(controller.signal.reason));
    aborted.promise.catch(() => undefined);
    try {
      const { clock } = this.#parts.host;
      const made = await within(clock, startMs, Promise.race([work, aborted.promise]));
      if (made === undefined) throw deadlineExceeded("starting the agent", startMs);
      return this.#keep(made);
    } catch (error) {
      this.#abandon(work);
      controller.abort(error);
      throw asAgentOsError(error);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  #keep(made: MadeAgent): OpenAgent {
    const agent: OpenAgent = { ...made, exit: undefined, gone: new AbortController() };
    this.#agent = agent;
    void (async () => {
      const exit = await agent.session.exited;
      agent.exit = exit;
      agent.gone.abort();
      // One that was given up goes as it was told to.
      if (this.#agent === agent) this.#tellExit(exit);
    })();
    return agent;
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
  #abandon(work: Promise<MadeAgent>): void {
    this.#ends.end({
      [Symbol.asyncDispose]: async () => {
        // Its failure was told to whoever waited.
        const late = await work.catch(() => undefined);
        late?.host.end();
        await late?.session[Symbol.asyncDispose]();
      },
    });
  }
}
