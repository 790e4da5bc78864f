import { type AgentOsError, DEFAULTS } from "@agentos/protocol";

import { ActivityWatch } from "./activity-watch.ts";
import { exhausted } from "./budget-guard.ts";
import { deadlineExceeded, msUntil } from "./deadline.ts";
import type { SessionParts } from "./session-parts.ts";
import { WallTime } from "./wall-time.ts";

export interface TurnTimeLimits {
  /** Its agent gave no sign of life for too long. */
  readonly silent: (error: AgentOsError) => void;
  readonly overBudget: (error: AgentOsError<"BUDGET_EXHAUSTED">) => void;
}

/** The time of a turn: how long it runs, and how long its agent is silent. None passes before `start`. */
export class TurnTime {
  readonly #parts: SessionParts;
  readonly #watch: ActivityWatch;
  readonly #wall: WallTime;
  readonly #startedMs: number;
  readonly #start: () => void;

  constructor(parts: SessionParts, { silent, overBudget }: TurnTimeLimits) {
    this.#parts = parts;
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
      silent: (what, ms) => silent(deadlineExceeded(`the agent's next sign of life (${what})`, ms)),
    });
    const limitMs = spec.budget?.wallMs;
    this.#wall = new WallTime(clock, record.now.spent.wallMs, limitMs, () => {
      if (limitMs !== undefined) overBudget(exhausted("wallMs", limitMs, limitMs));
    });
    this.#start = this.pauseForPeople();
  }

  /** What counts for the session's budget, with its turns before. */
  get wallMs(): number {
    return this.#wall.ms;
  }

  /** From the turn's beginning until now, waiting included. */
  get durationMs(): number {
    return this.#parts.host.clock.now() - this.#startedMs;
  }

  /** Time passes. */
  start(): void {
    this.#start();
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

  stop(): void {
    this.#watch.stop();
    this.#wall.stop();
  }
}
