import { AgentOsError, type SessionHappening } from "@agentos/protocol";

import { cancelled } from "./deadline.ts";
import { sizeOf } from "./event-bounds.ts";
import { SESSION_BOUNDS } from "./session-bounds.ts";
import type { SessionParts } from "./session-parts.ts";
import type { Delta } from "./session-record.ts";
import type { Entry } from "./step-builder.ts";

/** What a turn tells: in its own transcript, and in the turn of the session above whose tool began it. */
export class TurnTelling {
  readonly #parts: SessionParts;
  readonly #turnId: string;
  readonly #full: (error: AgentOsError) => void;
  #bytes = 0;

  /** `full`: the turn has told as much as one may, and is to end. */
  constructor(parts: SessionParts, turnId: string, full: (error: AgentOsError) => void) {
    this.#parts = parts;
    this.#turnId = turnId;
    this.#full = full;
  }

  /** Throws `CANCELLED` where the turn is to end for what it has told. */
  tell(happening: SessionHappening, agent?: string): void {
    this.#count(sizeOf(happening));
    this.#parts.record.write({ entries: [{ turnId: this.#turnId, agent, happening }] });
    this.#tellAbove(happening, agent);
  }

  /** The same for text, which is written with what comes right after it. */
  gather(delta: Delta, agent?: string): void {
    this.#count(delta.delta.length);
    this.#parts.record.gather(this.#turnId, agent, delta);
    this.#tellAbove(delta, agent);
  }

  /** What of a subagent's doings belongs here. */
  tellBelow({ agent, happening }: Entry): void {
    if (isDelta(happening)) this.gather(happening, agent);
    else if (TOLD_ABOVE.includes(happening.type)) this.tell(happening, agent);
  }

  #tellAbove(happening: SessionHappening, agent: string | undefined): void {
    const { record, parent } = this.#parts;
    parent?.within?.tell({ turnId: null, agent: agent ?? record.sessionId, happening });
  }

  /** The state file is everybody's: one turn must not fill it. */
  #count(bytes: number): void {
    this.#bytes += bytes;
    const capacity = SESSION_BOUNDS.turnBytes;
    if (this.#bytes <= capacity) return;
    const message = `the turn told more than ${capacity} bytes`;
    const details = { limit: "turnBytes", capacity, waiting: 0 };
    this.#full(new AgentOsError("POOL_EXHAUSTED", message, details));
    throw cancelled("the turn");
  }
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
