import { AgentOs, type WorkflowRunInfo, type WorkflowStepInfo } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { formatDuration } from "../../output/quantity.ts";
import { readable } from "../../output/readable.ts";
import { type Column, formatTable } from "../../output/table.ts";
import { write, writeJson } from "../../output/write.ts";
import { findRun } from "../../workflow/find-run.ts";

export interface ShowOptions {
  readonly step?: string;
}

const COLUMNS: readonly Column<WorkflowStepInfo>[] = [
  { title: "STEP", value: ({ name }) => name },
  { title: "BY", value: ({ agent, type }) => agent ?? type },
  { title: "STATUS", value: ({ status }) => status },
  { title: "TRIES", value: ({ retries }) => String(retries + 1), align: "right" },
  { title: "TIME", value: timeOf, align: "right" },
  {
    title: "SAYS",
    value: ({ error, output }) => (error ?? output ?? "").trim().split("\n")[0] ?? "",
  },
];

/** `agentos workflow show RUN`: the run and its steps, or one step's whole output. */
export async function show(
  io: Io,
  globals: GlobalOptions,
  id: string,
  { step: name }: ShowOptions,
): Promise<number> {
  const workflows = AgentOs.workflows({ pool: globals.pool });
  const { runId } = await findRun(globals, id);
  if (name !== undefined) {
    const step = await workflows.step(runId, name);
    if (globals.json === true) await writeJson(io.stdout, step);
    else await write(io.stdout, `${readable(step.output ?? step.error ?? "")}\n`);
    return EXIT_CODE.ok;
  }
  const info = await workflows.info(runId);
  if (globals.json === true) await writeJson(io.stdout, info);
  else await write(io.stdout, `${headOf(info)}\n${formatTable(COLUMNS, info.stepList)}`);
  return EXIT_CODE.ok;
}

function headOf({ runId, workflow, status, vmId, error }: WorkflowRunInfo): string {
  const why = error === null ? "" : `: ${error}`;
  return readable(`${workflow} (${runId}) in VM ${vmId}: ${status}${why}`);
}

function timeOf({ startedAt, endedAt }: WorkflowStepInfo): string {
  if (startedAt === null || endedAt === null) return "-";
  return formatDuration(Date.parse(endedAt) - Date.parse(startedAt));
}
