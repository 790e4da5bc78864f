import { AgentOs, type WorkflowRunSummary } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { write, writeJson } from "../../output/write.ts";
import { findRun } from "../../workflow/find-run.ts";

/** `agentos workflow pause RUN`. */
export async function pause(io: Io, globals: GlobalOptions, id: string): Promise<number> {
  const { runId } = await findRun(globals, id);
  return await tell(io, globals, await AgentOs.workflows({ pool: globals.pool }).pause(runId));
}

/** `agentos workflow abort RUN`. */
export async function abort(io: Io, globals: GlobalOptions, id: string): Promise<number> {
  const { runId } = await findRun(globals, id);
  return await tell(io, globals, await AgentOs.workflows({ pool: globals.pool }).abort(runId));
}

async function tell(io: Io, { json }: GlobalOptions, run: WorkflowRunSummary): Promise<number> {
  if (json === true) await writeJson(io.stdout, run);
  else await write(io.stdout, `${run.runId} ${run.status}\n`);
  return EXIT_CODE.ok;
}
