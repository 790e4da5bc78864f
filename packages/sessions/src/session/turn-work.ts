import type { RuntimeSession, RuntimeTurnResult, StoredTrace } from "@agentos/core";
import { AgentOsError, type Content, DEFAULTS, isAgentOsError } from "@agentos/protocol";

import type { AgentLink, OpenAgent } from "./agent-link.ts";
import { checkedOutput } from "./checked-output.ts";
import { asAgentOsError, msUntil, pause, within } from "./deadline.ts";
import { SESSION_BOUNDS } from "./session-bounds.ts";
import type { SessionParts } from "./session-parts.ts";
import { endOfError, type TurnEnd } from "./turn-end.ts";
import type { TurnRun } from "./turn-run.ts";

type From = "user" | "hook";

/** What a turn consists of: hooks, the agent, our own tries, and the stop hooks that let it go on. */
export class TurnWork {
  readonly #parts: SessionParts;
  readonly #link: AgentLink;
  readonly #run: TurnRun;
  readonly #trace: StoredTrace | undefined;
  #tries = 0;

  /** `trace`: an earlier life has begun it. */
  constructor(parts: SessionParts, link: AgentLink, run: TurnRun, trace?: StoredTrace) {
    this.#parts = parts;
    this.#link = link;
    this.#run = run;
    this.#trace = trace;
  }

  async run(): Promise<TurnEnd> {
    if (this.#trace !== undefined) return await this.#goOnWith(this.#trace);
    this.#run.assertRoom();
    const { content } = this.#run.turn;
    const denied = await this.#denied(content);
    if (denied !== undefined) return denied;
    return await this.#toTheEnd(await this.#say(content, "user"));
  }

  /** What an earlier life has begun. */
  async #goOnWith(trace: StoredTrace): Promise<TurnEnd> {
    const { turn, signal } = this.#run;
    let agent: OpenAgent;
    try {
      await this.#parts.access.running;
      signal.throwIfAborted();
      agent = await this.#link.adopt(turn, trace, signal);
    } catch (error) {
      signal.throwIfAborted();
      const { message } = asAgentOsError(error);
      this.#run.tell({ type: "notice", message: `the agent could not be taken over: ${message}` });
      return { stopReason: "interrupted", text: "" };
    }
    this.#run.time.start();
    const result = await this.#once(agent, (session) => {
      if (session.goOn === undefined) throw nobodyGoesOn();
      return session.goOn({ turnId: turn.turnId, signal });
    });
    if (result.error?.code !== "PROVIDER_FAILED" || signal.aborted)
      return await this.#toTheEnd(result);
    // What it asked its model was lost with the sidecar: that is no failed try.
    return await this.#toTheEnd(await this.#say(turn.content, "user", 1));
  }

  /** As long as stop hooks have it go on. */
  async #toTheEnd(first: RuntimeTurnResult): Promise<TurnEnd> {
    let result = first;
    for (let count = 0; count < SESSION_BOUNDS.continuations; count += 1) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const goOn = await this.#goOn(result, count);
      if (goOn === undefined) break;
      this.#run.assertRoom();
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      result = await this.#say(goOn, "hook");
    }
    const { stopReason, text, error } = result;
    if (error !== undefined && stopReason === "error") return { ...endOfError(error), text };
    const output = checkedOutput(this.#parts.spec, result.output, (message) =>
      this.#run.tell({ type: "notice", message }),
    );
    return { stopReason, text, output, error };
  }

  async #denied(content: Content): Promise<TurnEnd | undefined> {
    const { hooks } = this.#parts;
    const { turnId } = this.#run.turn;
    const resume = this.#run.time.pauseForTool();
    try {
      const data = { prompt: content };
      const { allow, message } = await hooks.decide("pre_turn", data, turnId, this.#run.signal);
      if (allow !== false) return undefined;
      const why = message ?? "a hook denied the turn";
      this.#run.tell({ type: "notice", message: why });
      return { stopReason: "denied", text: why };
    } finally {
      resume();
    }
  }

  /** What a stop hook has the turn go on with. */
  async #goOn(result: RuntimeTurnResult, count: number): Promise<string | undefined> {
    const { signal, turn } = this.#run;
    if (signal.aborted || result.error !== undefined) return undefined;
    const resume = this.#run.time.pauseForTool();
    try {
      const data = {
        responseText: result.text,
        continuationCount: count,
        stopReason: result.stopReason,
      };
      const { goOn } = await this.#parts.hooks.decide("stop", data, turn.turnId, signal);
      return goOn;
    } finally {
      resume();
    }
  }

  /** Until the agent has answered, or no try is left. */
  async #say(content: Content, from: From, firstAttempt = 0): Promise<RuntimeTurnResult> {
    let said = content;
    for (let attempt = firstAttempt; ; attempt += 1) {
      // oxlint-disable-next-line no-await-in-loop -- One try after the other.
      const agent = await this.#ready();
      this.#run.signal.throwIfAborted();
      const fresh = this.#link.takeFreshPrompt();
      if (fresh !== undefined) said = fresh;
      // oxlint-disable-next-line no-await-in-loop -- One try after the other.
      const result = await this.#prompt(agent, said, from, attempt);
      if (result.error === undefined || this.#run.signal.aborted) return result;
      if (this.#link.mayStartFresh(result.error)) {
        // oxlint-disable-next-line no-await-in-loop -- One try after the other.
        await this.#link.startFresh(this.#run.signal);
        attempt = -1;
        continue;
      }
      // oxlint-disable-next-line no-await-in-loop -- One try after the other.
      if (!(await this.#waitToRetry(result.error))) return result;
    }
  }

  async #ready(): Promise<OpenAgent> {
    const resume = this.#run.time.pauseForTool();
    try {
      return await this.#link.ready(this.#run.signal);
    } finally {
      resume();
    }
  }

  async #prompt(
    agent: OpenAgent,
    content: Content,
    from: From,
    attempt: number,
  ): Promise<RuntimeTurnResult> {
    const { turn, signal } = this.#run;
    const given = { turnId: turn.turnId, content, from, attempt, signal };
    return await this.#once(agent, (session) => session.prompt(given));
  }

  async #once(
    agent: OpenAgent,
    begin: (session: RuntimeSession) => Promise<RuntimeTurnResult>,
  ): Promise<RuntimeTurnResult> {
    const gone = Promise.withResolvers<void>();
    const exited = (): void => gone.resolve();
    agent.gone.signal.addEventListener("abort", exited, { once: true });
    try {
      const work = Promise.resolve(begin(agent.session));
      return await Promise.race([work, gone.promise.then(() => this.#afterExit(agent, work))]);
    } catch (error) {
      return { stopReason: "error", text: "", error: asAgentOsError(error) };
    } finally {
      agent.gone.signal.removeEventListener("abort", exited);
    }
  }

  /** The agent is gone: it still may have said how its turn ended. */
  async #afterExit(
    { exit }: OpenAgent,
    work: Promise<RuntimeTurnResult>,
  ): Promise<RuntimeTurnResult> {
    const { clock } = this.#parts.host;
    const result = await within(clock, SESSION_BOUNDS.cancelGraceMs, work);
    const error = exit ?? asAgentOsError(undefined);
    return result ?? { stopReason: "error", text: "", error };
  }

  /** Waits before the next try. False: there is none. */
  async #waitToRetry(error: AgentOsError): Promise<boolean> {
    const waitMs = this.#retryMs(error);
    if (waitMs === undefined) return false;
    this.#tries += 1;
    if (isAgentOsError(error, "RATE_LIMITED")) {
      const { resetAt } = error.details;
      this.#run.tell({ type: "rate_limit", resetAt, attempt: this.#tries, hard: true });
    } else {
      const message = `${error.message}: try ${this.#tries + 1} in ${Math.round(waitMs)} ms`;
      this.#run.tell({ type: "notice", message });
    }
    const resume = this.#run.time.pauseForTool();
    try {
      await pause(this.#parts.host.clock, waitMs, this.#run.signal);
      return true;
    } finally {
      resume();
    }
  }

  #retryMs(error: AgentOsError): number | undefined {
    const { retryMs, longestRetryMs, rateLimitTries } = SESSION_BOUNDS;
    const backOffMs = Math.min(longestRetryMs, retryMs * 2 ** this.#tries);
    if (isAgentOsError(error, "RATE_LIMITED")) {
      if (!this.#run.turn.resumeOnRateLimit || this.#tries >= rateLimitTries) return undefined;
      return Math.max(backOffMs, msUntil(error.details.resetAt));
    }
    const tries = this.#parts.spec.retries ?? DEFAULTS.turnRetries;
    if (error.code !== "PROVIDER_FAILED" || this.#tries >= tries) return undefined;
    return backOffMs;
  }
}

function nobodyGoesOn(): AgentOsError<"INTERNAL"> {
  const reason = "an agent was taken over that can't go on";
  return new AgentOsError("INTERNAL", reason, { reason });
}
