import type { ModelCall, ModelProvider, ModelRoute, SessionVm } from "@agentos/core";
import {
  AgentOsError,
  type BudgetName,
  isAgentOsError,
  type SessionHappening,
} from "@agentos/protocol";

import { assertRoom, exhausted } from "./budget-guard.ts";
import { countCall } from "./count-call.ts";
import { asAgentOsError, errorFacts, msUntil } from "./deadline.ts";
import { SESSION_BOUNDS } from "./session-bounds.ts";
import { sessionClosed } from "./session-errors.ts";
import type { CountedCall, SessionParts } from "./session-parts.ts";
import type { TurnRun } from "./turn-run.ts";

type RateLimit = Extract<SessionHappening, { type: "rate_limit" }>;

/** The model calls that a session's agent makes by itself, from the VM: whether they may be, and what they used. */
export class ModelCalls implements ModelRoute {
  readonly sessionId: string;
  readonly vm: SessionVm;
  readonly provider: ModelProvider;
  readonly #parts: SessionParts;
  readonly #run: () => TurnRun | undefined;
  #underWay = 0;
  #untold = 0;
  #limitedInARow = 0;

  constructor(parts: SessionParts, run: () => TurnRun | undefined) {
    this.sessionId = parts.record.sessionId;
    this.vm = parts.access;
    this.provider = parts.spec.provider ?? { name: "" };
    this.#parts = parts;
    this.#run = run;
  }

  mayCall(): AgentOsError | undefined {
    try {
      this.#assertMayCall();
      this.#underWay += 1;
      this.#live?.time.sign();
      return undefined;
    } catch (error) {
      if (isAgentOsError(error, "BUDGET_EXHAUSTED")) this.#live?.overBudget(error);
      return asAgentOsError(error);
    }
  }

  heard(): void {
    this.#live?.time.sign();
  }

  called(call: ModelCall): void {
    this.#underWay -= 1;
    try {
      this.#tellRateLimit(call);
      if (isUsed(call)) this.#count(call);
    } catch (error) {
      // The budget is asked again before the next call; a turn that is over has nobody to tell.
      if (isAgentOsError(error, "BUDGET_EXHAUSTED") || isAgentOsError(error, "CANCELLED")) return;
      const facts = { sessionId: this.sessionId, ...errorFacts(error) };
      this.#parts.host.log.error(facts, "a model call was not counted");
    }
  }

  /** The turn that runs, until its end is written. */
  get #live(): TurnRun | undefined {
    const run = this.#run();
    return run?.isOver === false ? run : undefined;
  }

  #assertMayCall(): void {
    const { record, spec, access } = this.#parts;
    if (!record.isOpen) throw sessionClosed(this.sessionId, record.now.state);
    access.handle();
    const capacity = SESSION_BOUNDS.modelCallsAtOnce;
    if (this.#underWay >= capacity) {
      const message = `session ${this.sessionId} has ${capacity} model calls under way`;
      const details = { limit: "modelCallsAtOnce", capacity, waiting: 0 };
      throw new AgentOsError("POOL_EXHAUSTED", message, details);
    }
    const { budget = {} } = spec;
    const { usage, spent } = record.now;
    assertRoom(budget, { usage, spent });
    const calls = spent.modelCalls + this.#underWay;
    if (budget.turns !== undefined && calls >= budget.turns)
      throw exhausted("turns", budget.turns, calls);
    if (budget.tokens !== undefined) this.#assertTold("tokens", budget.tokens);
    if (budget.usd !== undefined) this.#assertTold("usd", budget.usd);
  }

  /** What nobody tells nobody can bound: an agent that hangs up before the figures come would have no budget. */
  #assertTold(name: BudgetName, limit: number): void {
    if (this.#untold < SESSION_BOUNDS.untoldCalls) return;
    const message = `the session's budget of ${limit} ${name} can't be held: ${this.#untold} calls ended before they told what they used`;
    throw new AgentOsError("BUDGET_EXHAUSTED", message, { budget: name, limit, used: 0 });
  }

  #count({ model, usage, hasToolCalls }: ModelCall): void {
    if (usage.totalTokens === null) this.#untold += 1;
    const call: CountedCall = {
      usage,
      hasToolCalls,
      ...(model === null ? {} : { model }),
    };
    const run = this.#live;
    // Between two turns an agent may have a conversation to sum up, or a title to find.
    if (run === undefined) countCall(this.#parts, call, undefined);
    else run.modelCalled(call);
  }

  #tellRateLimit({ error, httpStatus }: ModelCall): void {
    if (!isAgentOsError(error, "RATE_LIMITED")) {
      if (isSuccess(httpStatus)) this.#limitedInARow = 0;
      return;
    }
    this.#limitedInARow += 1;
    const { resetAt } = error.details;
    const attempt = this.#limitedInARow;
    // Agents try again once by themselves.
    const hard = attempt > 1 || msUntil(resetAt) > SESSION_BOUNDS.softRateLimitMs;
    const happening: RateLimit = { type: "rate_limit", resetAt, attempt, hard };
    const run = this.#live;
    if (run === undefined) {
      this.#parts.record.write({ entries: [{ turnId: null, happening }] });
      return;
    }
    run.tell(happening);
    if (hard) run.time.expectSilence(resetAt);
  }
}

/** Whether it may have cost something: what was refused or never arrived has not. */
function isUsed({ httpStatus, error }: ModelCall): boolean {
  return isSuccess(httpStatus) || (httpStatus === 0 && error?.code === "CANCELLED");
}

function isSuccess(httpStatus: number): boolean {
  return httpStatus >= 200 && httpStatus < 300;
}
