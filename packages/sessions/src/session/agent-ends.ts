import { type AgentOsError, DEFAULTS } from "@agentos/protocol";

import { asAgentOsError, deadlineExceeded, errorFacts, within } from "./deadline.ts";
import type { SessionParts } from "./session-parts.ts";

/** Ends what a session has used up, one beside the other, each within `shutdownMs`. What fails is logged. */
export class AgentEnds {
  readonly #parts: SessionParts;
  #all: Promise<void> = Promise.resolve();
  #failure: AgentOsError | undefined;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  /** What was told to end is gone, or its time is over. Never rejects. */
  get all(): Promise<void> {
    return this.#all;
  }

  /** Why something may be left: the first of them. */
  get failure(): AgentOsError | undefined {
    return this.#failure;
  }

  /** Begins to end it. */
  end(what: AsyncDisposable): void {
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
    const before = this.#all;
    this.#all = (async () => {
      await before;
      const failure = await ended;
      if (failure === undefined) return;
      this.#failure ??= failure;
      const facts = { sessionId: record.sessionId, ...errorFacts(failure) };
      host.log.error(facts, "an agent did not end as it should");
    })();
  }
}
