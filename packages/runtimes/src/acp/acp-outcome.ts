import type { RuntimeHost, RuntimeTurnResult } from "@agentos/core";
import { type AgentOsError, isAgentOsError, type StopReason } from "@agentos/protocol";

import { LinePeerError } from "../agent-process/line-peer.ts";
import { acpFailure } from "./acp-failure.ts";
import type { PromptResult } from "./acp-message.ts";

/** What an agent's stop reasons mean. */
const STOP_REASONS: Readonly<Record<string, StopReason>> = {
  end_turn: "end_turn",
  max_tokens: "max_tokens",
  max_turn_requests: "max_turns",
  refusal: "refusal",
  cancelled: "cancelled",
};

/** What we know of a turn beside the agent's word. */
export interface SeenTurn {
  readonly agent: string;
  /** The reply. */
  readonly text: string;
  /** It was ended by us, with this. */
  readonly stopped: RuntimeTurnResult | undefined;
  /** How its model failed. */
  readonly failure: AgentOsError | undefined;
  readonly signal: AbortSignal;
  /** There is something to go on with. */
  readonly isBegun: boolean;
}

/** What an agent's answer to its prompt means. Our own word comes first: agents call a cancelled turn by other names. */
export function endOf({ stopReason }: PromptResult, seen: SeenTurn): RuntimeTurnResult {
  const { text, stopped, failure, signal } = seen;
  if (stopped !== undefined) return stopped;
  if (signal.aborted) return { stopReason: "cancelled", text };
  // Some agents end a failed turn as if it were a good one.
  if (failure !== undefined) return failed(failure);
  return { stopReason: STOP_REASONS[stopReason] ?? "end_turn", text };
}

/** What it means that there is none. Throws what is not the agent's. */
export function endOfFailure(error: unknown, seen: SeenTurn): RuntimeTurnResult {
  const { agent, text, stopped, failure, signal, isBegun } = seen;
  if (stopped !== undefined) return stopped;
  if (signal.aborted) return { stopReason: "cancelled", text };
  if (isAgentOsError(error, "AGENT_EXITED"))
    return { stopReason: "error", text: "", error, aborted: !isBegun };
  if (!(error instanceof LinePeerError)) throw error;
  return failed(failure ?? acpFailure(agent, error));
}

export function failed(error: AgentOsError): RuntimeTurnResult {
  return { stopReason: error.code === "RATE_LIMITED" ? "rate_limit" : "error", text: "", error };
}

/** What the turn used, as the agent says it. */
export function count(host: RuntimeHost, { usage }: PromptResult): void {
  if (usage === null || usage === undefined) return;
  host.modelCalled({
    usage: {
      inputTokens: usage.inputTokens ?? null,
      outputTokens: usage.outputTokens ?? null,
      cacheReadTokens: usage.cachedReadTokens ?? null,
      cacheWriteTokens: usage.cachedWriteTokens ?? null,
      thinkingTokens: usage.thoughtTokens ?? null,
      totalTokens: usage.totalTokens ?? null,
      costUsd: null,
    },
    hasToolCalls: false,
  });
}
