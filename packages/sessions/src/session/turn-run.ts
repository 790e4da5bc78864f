import type { StoredTurn } from "@agentos/core";
import {
  AgentOsError,
  DEFAULTS,
  encodeError,
  isAgentOsError,
  type SessionHappening,
  type TurnResult,
} from "@agentos/protocol";

import { ActivityWatch } from "./activity-watch.ts";
import type { AgentLink } from "./agent-link.ts";
import { assertRoom, exhausted } from "./budget-guard.ts";
import { countCall } from "./count-call.ts";
import {
  asAgentOsError,
  cancelled,
  deadlineExceeded,
  errorFacts,
  msUntil,
  nothing,
} from "./deadline.ts";
import { boundedOutput, boundedText, sizeOf } from "./event-bounds.ts";
import { SESSION_BOUNDS } from "./session-bounds.ts";
import type { CountedCall, SessionParts } from "./session-parts.ts";
import type { Delta } from "./session-record.ts";
import type { Entry } from "./step-builder.ts";
import type { AdoptableTurn } from "./settle-interrupted.ts";
import { budgetEnd, endOfError, type TurnEnd } from "./turn-end.ts";
import { TurnWork } from "./turn-work.ts";
import { WallTime } from "./wall-time.ts";

/** A turn while it runs: what it may use, what it tells, and how it is stopped. */
export class TurnRun {
  readonly turn: StoredTurn;
  readonly #parts: SessionParts;
  readonly #link: AgentLink;
  readonly #controller = new AbortController();
  readonly #watch: ActivityWatch;
  readonly #wall: WallTime;
  readonly #startedMs: number;
  /** What the turn's end waits for, within its grace. */
  readonly #beside = new Set<Promise<void>>();
  /** Before it begins, no time passes. */
  readonly #startTime: () => void;
  readonly #adoptable: AdoptableTurn | undefined;
  #stop: TurnEnd | undefined;
  #isOver = false;
  #toldBytes = 0;

  /** `adoptable`: an earlier life has begun it. */
  constructor(parts: SessionParts, link: AgentLink, turn: StoredTurn, adoptable?: AdoptableTurn) {
    this.turn = turn;
    this.#adoptable = adoptable;
    this.#parts = parts;
    this.#link = link;
    const { spec, record, host, runtime } = parts;
    const { clock } = host;
    this.#startedMs = clock.now();
    // A program that only writes its reply may be silent for as long as its work takes.
    const isQuiet = ["command", "terminal"].includes(runtime.capabilities.transport);
    const usualStepIdleMs = isQuiet ? 0 : DEFAULTS.stepIdleMs;
    const { stepIdleMs = usualStepIdleMs, inactivityMs = DEFAULTS.inactivityMs } =
      spec.timeouts ?? {};
    this.#watch = new ActivityWatch({
      clock,
      stepIdleMs,
      inactivityMs,
      silent: (what, ms) =>
        this.#failed(deadlineExceeded(`the agent's next sign of life (${what})`, ms)),
    });
    const limitMs = spec.budget?.wallMs;
    this.#wall = new WallTime(clock, record.now.spent.wallMs, limitMs, () => {
      if (limitMs !== undefined) this.overBudget(exhausted("wallMs", limitMs, limitMs));
    });
    this.#startTime = this.pauseForPeople();
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

  sign(): void {
    this.#watch.sign();
  }

  pauseForTool(): () => void {
    return this.#watch.pause();
  }

  /** While people are asked nothing times out, and no time counts. */
  pauseForPeople(): () => void {
    const resumeWall = this.#wall.pause();
    const resumeWatch = this.#watch.pause();
    return () => {
      resumeWall();
      resumeWatch();
    };
  }

  /** Nothing is heard until a rate limit's reset. */
  expectSilence(resetAt: string | null): void {
    const leftMs = msUntil(resetAt);
    if (leftMs > 0) this.#watch.extendTo(this.#parts.host.clock.now() + leftMs);
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
    this.#watch.sign();
    this.#count(sizeOf(happening));
    this.#parts.record.write({ entries: [{ turnId: this.turn.turnId, agent, happening }] });
    this.#tellAbove(happening, agent);
  }

  gather(delta: Delta, agent?: string): void {
    if (this.#isOver) return;
    this.#watch.sign();
    this.#count(delta.delta.length);
    this.#parts.record.gather(this.turn.turnId, agent, delta);
    this.#tellAbove(delta, agent);
  }

  compacted(summary: string | undefined): void {
    const data = summary === undefined ? {} : { summary };
    this.waitFor(this.#parts.hooks.observe("compaction", data, this.turn.turnId));
  }

  /** What a subagent in this turn tells. */
  tellBelow({ agent, happening }: Entry): void {
    if (this.#isOver) return;
    if (isDelta(happening)) this.gather(happening, agent);
    else if (TOLD_ABOVE.includes(happening.type)) this.tell(happening, agent);
  }

  /** Throws `BUDGET_EXHAUSTED` where the model may not be called again, and ends the turn. */
  modelCalled(call: CountedCall): void {
    try {
      countCall(this.#parts, call, { turnId: this.turn.turnId, wallMs: this.#wall.ms });
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

  #tellAbove(happening: SessionHappening, agent: string | undefined): void {
    const { record, parent } = this.#parts;
    parent?.within?.tell({ turnId: null, agent: agent ?? record.sessionId, happening });
  }

  /** The state file is everybody's: one turn must not fill it. */
  #count(bytes: number): void {
    this.#toldBytes += bytes;
    const capacity = SESSION_BOUNDS.turnBytes;
    if (this.#toldBytes <= capacity) return;
    const message = `the turn told more than ${capacity} bytes`;
    const details = { limit: "turnBytes", capacity, waiting: 0 };
    this.#failed(new AgentOsError("POOL_EXHAUSTED", message, details));
    throw cancelled("the turn");
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
    this.#startTime();
    return access.hold(fence, (error) => this.#failed(error));
  }

  /** The same, without the beginning that is written already. */
  #beginAgain(): () => void {
    return this.#parts.access.holdAgain(this.turn.fence, (error) => this.#failed(error));
  }

  /** Its agent was taken over: time passes again. */
  taken(): void {
    this.#startTime();
  }

  /** The work's own end, or, where it does not end soon after it was told to, an end without it. */
  async #ended(work: Promise<TurnEnd>): Promise<TurnEnd> {
    const { clock } = this.#parts.host;
    const { promise: given, resolve } = Promise.withResolvers<"given-up">();
    let cancel = nothing;
    const abort = (): void => {
      cancel = clock.after(SESSION_BOUNDS.cancelGraceMs, () => resolve("given-up"));
    };
    this.signal.addEventListener("abort", abort, { once: true });
    if (this.signal.aborted) abort();
    const whole = work.then(async (end) => {
      await Promise.all(this.#beside);
      return end;
    });
    // Who gives it up has no use for its end.
    whole.catch(() => undefined);
    try {
      const end = await Promise.race([whole, given]);
      if (end !== "given-up") return this.#stop === undefined ? end : stopped(this.#stop, end.text);
      this.#link.drop();
      return this.#stop ?? this.#endOf(cancelled("the turn"));
    } finally {
      cancel();
      this.signal.removeEventListener("abort", abort);
    }
  }

  #finish(end: TurnEnd): TurnResult {
    this.#watch.stop();
    this.#wall.stop();
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
          spent: { ...record.now.spent, wallMs: this.#wall.ms },
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
      durationMs: host.clock.now() - this.#startedMs,
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

function isDelta(happening: SessionHappening): happening is Delta {
  const { type } = happening;
  return type === "text" || type === "thought" || type === "tool_output";
}

/** What of a subagent's doings the session above tells. */
const TOLD_ABOVE: readonly SessionHappening["type"][] = [
  "tool_call",
  "tool_result",
  "file_change",
  "plan",
  "notice",
  "rate_limit",
];
