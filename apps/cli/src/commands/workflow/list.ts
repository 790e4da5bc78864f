import { AgentOs, type WorkflowRunSummary } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { formatAge } from "../../output/quantity.ts";
import { type Column, formatTable } from "../../output/table.ts";
import { write, writeJson } from "../../output/write.ts";

const COLUMNS: readonly Column<WorkflowRunSummary>[] = [
  { title: "RUN", value: ({ runId }) => runId },
  { title: "WORKFLOW", value: ({ workflow }) => workflow },
  { title: "PATTERN", value: ({ pattern }) => pattern },
  { title: "STATUS", value: ({ status }) => status },
  { title: "STEPS", value: ({ finished, steps }) => `${finished}/${steps}`, align: "right" },
  {
    title: "AGE",
    value: ({ createdAt }) => formatAge(Date.now() - Date.parse(createdAt)),
    align: "right",
  },
  { title: "VM", value: ({ vmId }) => vmId },
];

/** `agentos workflow list`. */
export async function list(io: Io, { pool, json }: GlobalOptions): Promise<number> {
  const runs = await AgentOs.workflows({ pool }).list();
  if (json === true) await writeJson(io.stdout, { runs });
  else await write(io.stdout, runs.length === 0 ? "no runs\n" : formatTable(COLUMNS, runs));
  return EXIT_CODE.ok;
}
