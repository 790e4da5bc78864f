import type { StoredTurn } from "@agentos/core";
import {
  type AgentOsError,
  encodeError,
  isAgentOsError,
  type SessionHappening,
  type TurnResult,
} from "@agentos/protocol";

import type { AgentLink } from "./agent-link.ts";
import { assertRoom } from "./budget-guard.ts";
import { countCall } from "./count-call.ts";
import { asAgentOsError, cancelled, errorFacts, nothing, withinGrace } from "./deadline.ts";
import { boundedOutput, boundedText } from "./event-bounds.ts";
import { SESSION_BOUNDS } from "./session-bounds.ts";
import type { CountedCall, SessionParts } from "./session-parts.ts";
import type { Delta } from "./session-record.ts";
import type { Entry } from "./step-builder.ts";
import type { AdoptableTurn } from "./settle-interrupted.ts";
import { budgetEnd, endOfError, type TurnEnd } from "./turn-end.ts";
import { TurnTelling } from "./turn-telling.ts";
import { TurnTime, type TurnTimeLimits } from "./turn-time.ts";
import { TurnWork } from "./turn-work.ts";

/** A turn while it runs: what it may use, what it tells, and how it is stopped. */
export class TurnRun {
  readonly turn: StoredTurn;
  readonly time: TurnTime;
  readonly #parts: SessionParts;
  readonly #link: AgentLink;
  readonly #controller = new AbortController();
  readonly #telling: TurnTelling;
  /** What the turn's end waits for, within its grace. */
  readonly #beside = new Set<Promise<void>>();
  readonly #adoptable: AdoptableTurn | undefined;
  #stop: TurnEnd | undefined;
  #isOver = false;

  /** `adoptable`: an earlier life has begun it. */
  constructor(parts: SessionParts, link: AgentLink, turn: StoredTurn, adoptable?: AdoptableTurn) {
    this.turn = turn;
    this.#adoptable = adoptable;
    this.#parts = parts;
    this.#link = link;
    const fail = (error: AgentOsError): void => this.#failed(error);
    const overBudget: TurnTimeLimits["overBudget"] = (error) => this.overBudget(error);
    this.time = new TurnTime(parts, { silent: fail, overBudget });
    this.#telling = new TurnTelling(parts, turn.turnId, fail);
  }

  /** Aborted once the turn is to end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Its end is written: nothing that comes later has an effect. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends the turn; the first reason stays. */
  stop(end: TurnEnd): void {
    if (this.#stop !== undefined || this.#isOver) return;
    this.#stop = end;
    this.#controller.abort(end.error ?? cancelled("the turn"));
  }

  /**
   * Runs it to its end, which is written when this resolves. Never rejects. `held`: it holds the VM itself,
   * or can't; `release` lets the VM go.
   */
  async run(held: () => void): Promise<{ result: TurnResult; release: () => void }> {
    let release = nothing;
    let end: TurnEnd;
    try {
      release = this.#adoptable === undefined ? this.#begin() : this.#beginAgain();
      held();
      const work = new TurnWork(this.#parts, this.#link, this, this.#adoptable?.trace);
      end = await this.#ended(work.run());
    } catch (error) {
      end = this.#endOf(error);
    }
    held();
    return { result: this.#finish(end), release };
  }

  /** Something that the turn's end waits for. */
  waitFor(work: Promise<void>): void {
    // Its failure was told where it happened.
    const done = work.catch(() => undefined);
    this.#beside.add(done);
    void done.finally(() => this.#beside.delete(done));
  }

  tell(happening: SessionHappening, agent?: string): void {
    if (this.#isOver) return;
    this.time.sign();
    this.#telling.tell(happening, agent);
  }

  gather(delta: Delta, agent?: string): void {
    if (this.#isOver) return;
    this.time.sign();
    this.#telling.gather(delta, agent);
  }

  /** What a subagent in this turn tells. */
  tellBelow(entry: Entry): void {
    if (this.#isOver) return;
    this.time.sign();
    this.#telling.tellBelow(entry);
  }

  compacted(summary: string | undefined): void {
    const data = summary === undefined ? {} : { summary };
    this.waitFor(this.#parts.hooks.observe("compaction", data, this.turn.turnId));
  }

  /** Throws `BUDGET_EXHAUSTED` where the model may not be called again, and ends the turn. */
  modelCalled(call: CountedCall): void {
    try {
      countCall(this.#parts, call, { turnId: this.turn.turnId, wallMs: this.time.wallMs });
    } catch (error) {
      if (isAgentOsError(error, "BUDGET_EXHAUSTED")) this.overBudget(error);
      throw error;
    }
  }

  /** Ends the turn, for its model may not be called again. */
  overBudget(error: AgentOsError<"BUDGET_EXHAUSTED">): void {
    this.stop(budgetEnd(error));
  }

  /** Throws `BUDGET_EXHAUSTED`. */
  assertRoom(): void {
    const { usage, spent } = this.#parts.record.now;
    assertRoom(this.#parts.spec.budget ?? {}, { usage, spent });
  }

  /** Holds the VM until the result is called. */
  #begin(): () => void {
    const { record, access } = this.#parts;
    const { turnId, source, content, fence } = this.turn;
    const { turns, usage } = record.now;
    record.write({
      runTurn: turnId,
      state: "running",
      entries: [{ turnId, happening: { type: "turn_start", source, prompt: content } }],
      change: { turns: turns + 1, usage: { ...usage, turn: null } },
    });
    this.time.start();
    return access.hold(fence, (error) => this.#failed(error));
  }

  /** The same, without the beginning that is written already. */
  #beginAgain(): () => void {
    return this.#parts.access.holdAgain(this.turn.fence, (error) => this.#failed(error));
  }

  /** The work's own end, or, where it does not end soon after it was told to, an end without it. */
  async #ended(work: Promise<TurnEnd>): Promise<TurnEnd> {
    const whole = work.then(async (end) => {
      await Promise.all(this.#beside);
      return end;
    });
    const { clock } = this.#parts.host;
    const end = await withinGrace(clock, SESSION_BOUNDS.cancelGraceMs, whole, this.signal);
    if (end !== undefined) return this.#stop === undefined ? end : stopped(this.#stop, end.text);
    this.#link.drop();
    return this.#stop ?? this.#endOf(cancelled("the turn"));
  }

  #finish(end: TurnEnd): TurnResult {
    this.time.stop();
    if (!this.signal.aborted) this.#controller.abort(cancelled("the turn"));
    const { record, spec, host } = this.#parts;
    const result = this.#resultOf(end);
    const { turnId } = this.turn;
    const failure =
      result.error === undefined ? [] : [{ type: "error" as const, error: result.error }];
    const happenings: SessionHappening[] = [...failure, { type: "turn_end", result }];
    const isReply =
      end.text !== "" && (end.stopReason === "end_turn" || end.stopReason === "max_tokens");
    try {
      record.write({
        endTurn: turnId,
        state: "idle",
        entries: happenings.map((happening) => ({ turnId, happening })),
        change: {
          spent: { ...record.now.spent, wallMs: this.time.wallMs },
          ...(isReply ? { lastResponse: result.text } : {}),
        },
      });
    } catch (error) {
      // A full disk: the session goes on, the next life tells the turn as interrupted.
      record.assume("idle");
      const facts = { sessionId: spec.sessionId, ...errorFacts(error) };
      host.log.error(facts, "a turn's end was not written");
    }
    this.#isOver = true;
    return result;
  }

  #resultOf(end: TurnEnd): TurnResult {
    const { record, spec, host } = this.#parts;
    if (end.error?.code === "INTERNAL") {
      const facts = { sessionId: spec.sessionId, ...errorFacts(end.error) };
      host.log.error(facts, "a turn failed inside");
    }
    return {
      turnId: this.turn.turnId,
      text: boundedText(end.text),
      stopReason: end.stopReason,
      ...(end.budget === undefined ? {} : { budget: end.budget }),
      usage: record.now.usage.turn,
      ...(spec.outputSchema === undefined ? {} : { output: boundedOutput(end.output ?? null) }),
      ...(end.error === undefined ? {} : { error: encodeError(end.error) }),
      durationMs: this.time.durationMs,
    };
  }

  #endOf(error: unknown): TurnEnd {
    if (this.#stop !== undefined) return this.#stop;
    if (isAgentOsError(error, "BUDGET_EXHAUSTED")) return budgetEnd(error);
    return endOfError(asAgentOsError(error));
  }

  #failed(error: AgentOsError): void {
    this.stop({ stopReason: "error", text: "", error });
  }
}

/** The engine's reason comes before the agent's; what the agent has said by then stays. */
function stopped(stop: TurnEnd, text: string): TurnEnd {
  return stop.text === "" ? { ...stop, text } : stop;
}
