import type { SessionSpent } from "@agentos/core";
import {
  AgentOsError,
  type Budget,
  type BudgetName,
  type SessionUsage,
  type StopReason,
} from "@agentos/protocol";

import { tokensOf } from "./usage-sum.ts";

interface Used {
  readonly usage: SessionUsage;
  readonly spent: SessionSpent;
}

/** The budget that leaves no room for one model call more. Throws `BUDGET_EXHAUSTED`. */
export function assertRoom(budget: Budget, used: Used): void {
  const { modelCalls, wallMs } = used.spent;
  assertBelow("turns", budget.turns, modelCalls);
  assertBelow("wallMs", budget.wallMs, wallMs);
  assertKnown("tokens", budget.tokens, used.spent, tokensOf(used.usage.total));
  assertKnown("usd", budget.usd, used.spent, used.usage.total.costUsd);
}

/** Before a tool that the model has asked for: it, and the call after it, must be within the budget. */
export function assertRoomForTool(budget: Budget, used: Used): void {
  assertRoom(budget, used);
  const { toolTurns } = used.spent;
  if (budget.toolTurns !== undefined && toolTurns > budget.toolTurns)
    throw exhausted("toolTurns", budget.toolTurns, toolTurns);
}

/** How a turn that met its budget ends. */
export function stopReasonOf(budget: BudgetName): StopReason {
  if (budget === "turns") return "max_turns";
  return budget === "toolTurns" ? "max_tool_turns" : "budget";
}

export function exhausted(
  budget: BudgetName,
  limit: number,
  used: number,
): AgentOsError<"BUDGET_EXHAUSTED"> {
  const message = `the session's budget of ${limit} ${budget} is used up: ${used}`;
  return new AgentOsError("BUDGET_EXHAUSTED", message, { budget, limit, used });
}

function assertBelow(name: BudgetName, limit: number | undefined, used: number): void {
  if (limit !== undefined && used >= limit) throw exhausted(name, limit, used);
}

/** A budget of what nobody counts would be none: the first call that does not tell is the last. */
function assertKnown(
  name: "tokens" | "usd",
  limit: number | undefined,
  { modelCalls }: SessionSpent,
  used: number | null,
): void {
  if (limit === undefined || modelCalls === 0) return;
  if (used !== null) return assertBelow(name, limit, used);
  const what = name === "usd" ? "the model's price is not known" : "the provider told no tokens";
  const message = `the session's budget of ${limit} ${name} can't be held: ${what}`;
  throw new AgentOsError("BUDGET_EXHAUSTED", message, { budget: name, limit, used: 0 });
}
