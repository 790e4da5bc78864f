import type { SessionChange } from "@agentos/core";

import { type Columns, columnsOf } from "./columns.ts";
import type { SealedText } from "./sealed-text.ts";

/** What changes of a session, as columns of its row. */
export function sessionColumns(change: SessionChange, sealed: SealedText): Columns {
  return columnsOf([
    ["vm_id", change.vmId],
    ["spec", change.spec && sealed.seal(JSON.stringify(change.spec))],
    ["parent", "parent" in change ? (change.parent ?? null) : undefined],
    ["is_subagent", flag(change.isSubagent)],
    ["state", change.state],
    ["agent_session_id", change.agentSessionId],
    ["agent_trace", change.agentTrace && JSON.stringify(change.agentTrace)],
    ["turns", change.turns],
    ["usage", change.usage && JSON.stringify(change.usage)],
    ["spent", change.spent && JSON.stringify(change.spent)],
    ["compactions", change.compactions && JSON.stringify(change.compactions)],
    ["last_response", change.lastResponse],
    ["next_step", change.nextStep],
    ["woken", flag(change.woken)],
  ]);
}

function flag(value: boolean | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}
