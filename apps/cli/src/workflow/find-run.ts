import { AgentOs, AgentOsError, type WorkflowRunSummary } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";

/** A run of this user by its id, or a unique beginning of it. Rejects with `NOT_FOUND`. */
export async function findRun({ pool }: GlobalOptions, id: string): Promise<WorkflowRunSummary> {
  const runs = await AgentOs.workflows({ pool }).list();
  const exact = runs.find(({ runId }) => runId === id);
  if (exact !== undefined) return exact;
  const [only, ...others] = runs.filter(({ runId }) => runId.startsWith(id));
  if (only !== undefined && others.length === 0) return only;
  const problem = only === undefined ? "there is no workflow run" : "more than one run begins with";
  throw new AgentOsError("NOT_FOUND", `${problem} ${id}`, { kind: "workflow run", id });
}
