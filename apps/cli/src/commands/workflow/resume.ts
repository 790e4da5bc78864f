import { AgentOs } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { Interrupts } from "../../guest/interrupts.ts";
import type { Io } from "../../io.ts";
import { findRun } from "../../workflow/find-run.ts";
import { watchRun } from "../../workflow/watch-run.ts";
import { createWorkflowView } from "../../workflow/workflow-view.ts";

export interface ResumeOptions {
  /** Where it goes on; its own VM by default. */
  readonly vm?: string;
}

/** `agentos workflow resume RUN`: goes on with what has not finished. */
export async function resume(
  io: Io,
  globals: GlobalOptions,
  id: string,
  options: ResumeOptions,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  const { pool, json = false } = globals;
  const { runId, vmId } = await findRun(globals, id);
  await using os = await AgentOs.attach(options.vm ?? vmId, { pool, signal: interrupts.signal });
  const run = await os.workflows.get(runId);
  const { lastSeq: after } = await run.info();
  await run.resume();
  return await watchRun(run, { view: createWorkflowView(io, json), interrupts, after });
}
