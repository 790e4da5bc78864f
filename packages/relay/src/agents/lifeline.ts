import {
  decodeError,
  DEFAULTS,
  isAgentOsError,
  type RelayHappening,
  type SessionEvent,
} from "@agentos/protocol";

import type { UserParts } from "../relay-parts.ts";
import type { Agent } from "./agent.ts";
import { crashOf, type Exit } from "./crash-insights.ts";
import { planRestart } from "./restart-plan.ts";

export interface LifelineOptions {
  readonly agent: Agent;
  readonly parts: UserParts;
}

type WireError = Extract<SessionEvent, { type: "agent_exited" }>["error"];

/** Keeps an agent alive as its restart policy says, or gives it up. */
export class Lifeline {
  readonly #options: LifelineOptions;
  #startedMs = 0;
  #consecutive = 0;
  #cancel: (() => void) | undefined;
  #isOver = false;

  constructor(options: LifelineOptions) {
    this.#options = options;
  }

  started(): void {
    this.#startedMs = this.#options.parts.clock.now();
  }

  stop(): void {
    this.#isOver = true;
    this.#cancel?.();
  }

  /** Its program is gone by itself. */
  died(wire: WireError): void {
    if (this.#isOver || this.#cancel !== undefined) return;
    this.#failed(exitOf(decodeError(wire)));
  }

  #failed(exit: Exit): void {
    const { agent, parts } = this.#options;
    const uptimeMs = parts.clock.now() - this.#startedMs;
    const isClean = exit.exitCode === 0 && exit.signal === null;
    if (!isClean) {
      const addCrash = crashOf(agent.name, exit, parts.now(), uptimeMs);
      parts.journal.write({ addCrash }, []);
    }
    const { restarts, spec } = agent.stored;
    this.#consecutive = uptimeMs >= DEFAULTS.agentHealthyMs ? 1 : this.#consecutive + 1;
    const plan = isClean
      ? undefined
      : planRestart(spec.restart, { restarts, consecutive: this.#consecutive });
    if (plan?.kind === "restart") return this.#restartLater(exit, plan.delayMs);
    const dead =
      plan === undefined
        ? []
        : [{ type: "agent_dead" as const, agent: agent.name, reason: plan.reason }];
    agent.giveUp(plan === undefined ? "agent_exited" : "agent_dead", [
      { type: "agent_exited", agent: agent.name, ...endingOf(exit), reason: "child_exited" },
      ...dead,
    ]);
  }

  #restartLater(exit: Exit, delayMs: number): void {
    const { agent, parts } = this.#options;
    const restarts = agent.stored.restarts + 1;
    agent.mailbox.pause();
    const told: RelayHappening = {
      type: "agent_restarting",
      agent: agent.name,
      ...endingOf(exit),
      restarts,
      delayMs,
    };
    agent.change({ state: "restarting", restarts }, [told]);
    this.#cancel = parts.clock.after(delayMs, () => {
      void this.#restart(restarts);
    });
  }

  async #restart(restarts: number): Promise<void> {
    const { agent, parts } = this.#options;
    this.#startedMs = parts.clock.now();
    try {
      await parts.sessions.revive(agent.ref);
    } catch (error) {
      this.#cancel = undefined;
      if (!this.#isOver) this.#failed(exitOf(error));
      return;
    }
    this.#cancel = undefined;
    if (this.#isOver) return;
    agent.change({ state: "ready" }, [{ type: "agent_restarted", agent: agent.name, restarts }]);
    this.started();
    agent.mailbox.start();
  }
}

function exitOf(error: unknown): Exit {
  if (isAgentOsError(error, "AGENT_EXITED")) {
    const { exitCode, signal, limit } = error.details;
    return { exitCode, signal, limit };
  }
  return { exitCode: null, signal: null };
}

function endingOf({ exitCode, signal }: Exit): { exitCode: number | null; signal: string | null } {
  return { exitCode, signal };
}
