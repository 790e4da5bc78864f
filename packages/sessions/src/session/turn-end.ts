import type { AgentOsError, BudgetName, Json, StopReason } from "@agentos/protocol";

import { stopReasonOf } from "./budget-guard.ts";

/** How a turn ends. */
export interface TurnEnd {
  readonly stopReason: StopReason;
  readonly text: string;
  readonly output?: Json | undefined;
  readonly error?: AgentOsError | undefined;
  readonly budget?: BudgetName | undefined;
}

/** The end of a turn that an error ended. */
export function endOfError(error: AgentOsError): TurnEnd {
  if (error.code === "CANCELLED") return { stopReason: "cancelled", text: "" };
  const stopReason = error.code === "RATE_LIMITED" ? "rate_limit" : "error";
  return { stopReason, text: "", error };
}

/** The end of a turn that met a budget. */
export function budgetEnd(error: AgentOsError<"BUDGET_EXHAUSTED">): TurnEnd {
  const budget = BUDGET_NAMES.find((name) => name === error.details.budget);
  if (budget === undefined) return { stopReason: "budget", text: "", error };
  return { stopReason: stopReasonOf(budget), text: "", error, budget };
}

const BUDGET_NAMES: readonly BudgetName[] = ["turns", "toolTurns", "tokens", "usd", "wallMs"];
