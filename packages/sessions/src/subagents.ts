import type { SubagentSpec, TurnResult } from "@agentos/protocol";

import type { ToolTurn } from "./tool-desk.ts";

export interface SubagentRequest {
  /** One of `agents` by its name, or one made up on the spot. */
  readonly agent: string | SubagentSpec;
  readonly prompt: string;
}

/** The agents that a session's agent may start by a tool. */
export interface Subagents {
  /** Those of the specification that it may start, with what they are for. */
  readonly known: readonly { name: string; description: string }[];
  /**
   * Runs a subagent to its end, in a session of its own below this one, whose events go into this one's
   * transcript and whose requests into this one's book. How its turn failed is in the result. Rejects with
   * `NOT_FOUND` for an unknown name, `UNSUPPORTED` below the greatest depth, `CANCELLED` with the turn.
   */
  run(request: SubagentRequest, turn: ToolTurn): Promise<{ sessionId: string; result: TurnResult }>;
}
