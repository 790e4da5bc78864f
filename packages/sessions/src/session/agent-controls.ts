import { AgentOsError, type Content, type SessionHappening } from "@agentos/protocol";

import type { AgentLink } from "./agent-link.ts";
import { assertPrompt } from "./assert-prompt.ts";
import { sessionBusy, sessionClosed } from "./session-errors.ts";
import type { SessionParts } from "./session-parts.ts";
import type { TurnRun } from "./turn-run.ts";

type Verb = "steer" | "setModel" | "setMode" | "compact";

export interface AgentControlsOptions {
  readonly parts: SessionParts;
  readonly link: AgentLink;
  /** The turn that runs now. */
  readonly run: () => TurnRun | undefined;
  /** The next turn waits for it. */
  readonly beside: (work: Promise<void>) => void;
  /** Aborted once the session is to end. */
  readonly life: AbortSignal;
}

/** What may be done to a session's agent beside prompts, where its runtime can. */
export class AgentControls {
  readonly #options: AgentControlsOptions;

  constructor(options: AgentControlsOptions) {
    this.#options = options;
  }

  /** Gives the running turn more to think about, and says which; `null` where none runs. Rejects with `UNSUPPORTED`. */
  async steer(content: Content): Promise<string | null> {
    assertPrompt(content);
    const { parts, link, run } = this.#options;
    const turn = run();
    if (turn === undefined || turn.signal.aborted) return null;
    const { session } = await link.ready(turn.signal);
    const steer = session.steer?.bind(session) ?? this.#missing("steer");
    await steer(content);
    const { turnId } = turn.turn;
    parts.record.write({ entries: [{ turnId, happening: { type: "steer", content } }] });
    return turnId;
  }

  /** From the next call of the model on, and in every later life of the session. Rejects with `UNSUPPORTED` or `MODEL_SWITCH_FAILED`. */
  async setModel(model: string, fence: number): Promise<void> {
    const { parts, link, life, run } = this.#options;
    await this.#held(fence, async () => {
      const { session } = await link.ready(life);
      const setModel = session.setModel?.bind(session) ?? this.#missing("setModel");
      await setModel(model);
      const { record } = parts;
      const spec = { ...record.now.spec, model };
      this.#tell({ type: "model", model }, run()?.turn.turnId ?? null, { spec });
    });
  }

  /** Now, and in every later life of the session. Rejects with `UNSUPPORTED`, or `INVALID_ARGUMENT` for one that the agent has not. */
  async setMode(mode: string, fence: number): Promise<void> {
    const { parts, link, life, run } = this.#options;
    await this.#held(fence, async () => {
      const { session } = await link.ready(life);
      const setMode = session.setMode?.bind(session) ?? this.#missing("setMode");
      await setMode(mode);
      const spec = { ...parts.record.now.spec, mode };
      this.#tell({ type: "mode", mode }, run()?.turn.turnId ?? null, { spec });
    });
  }

  /** Has the agent sum up its conversation, between turns. Rejects with `UNSUPPORTED` or `SESSION_BUSY`. */
  async compact(fence: number): Promise<void> {
    const { parts, link, life, run, beside } = this.#options;
    const running = run();
    if (running !== undefined) throw sessionBusy(parts.record.sessionId, running.turn.turnId);
    const work = this.#held(fence, async () => {
      const { session } = await link.ready(life);
      const compact = session.compact?.bind(session) ?? this.#missing("compact");
      await compact();
      this.#tell({ type: "compaction" }, null);
    });
    // Its failure is told to who asked.
    beside(work.catch(() => undefined));
    await work;
  }

  #tell(
    happening: SessionHappening,
    turnId: string | null,
    change: Parameters<SessionParts["record"]["write"]>[0]["change"] = {},
  ): void {
    this.#options.parts.record.write({ entries: [{ turnId, happening }], change });
  }

  /** The VM lives at least as long. */
  async #held(fence: number, work: () => Promise<void>): Promise<void> {
    const { parts, life } = this.#options;
    const { record, access } = parts;
    if (!record.isOpen || life.aborted) throw sessionClosed(record.sessionId, record.now.state);
    const lost = Promise.withResolvers<never>();
    const release = access.hold(fence, (error) => lost.reject(error));
    try {
      await Promise.race([work(), lost.promise]);
    } finally {
      release();
    }
  }

  #missing(verb: Verb): never {
    const what = `${WORDS[verb]} with the runtime ${this.#options.parts.runtime.name}`;
    throw new AgentOsError("UNSUPPORTED", `${what} can't be had`, { what });
  }
}

const WORDS: Readonly<Record<Verb, string>> = {
  steer: "steering a running turn",
  setModel: "another model in a running session",
  setMode: "another mode",
  compact: "compaction on request",
};
