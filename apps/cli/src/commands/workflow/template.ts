import { AgentOs, AgentOsError, type WorkflowTemplate } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { type Column, formatTable } from "../../output/table.ts";
import { write, writeJson } from "../../output/write.ts";

const COLUMNS: readonly Column<WorkflowTemplate>[] = [
  { title: "TEMPLATE", value: ({ name }) => name },
  { title: "PATTERN", value: ({ pattern }) => pattern },
  { title: "AGENTS", value: ({ agents }) => agents.join(", ") },
  { title: "WHAT IT DOES", value: ({ description }) => description },
];

/** `agentos workflow template [NAME]`: the list, or one's file. */
export async function template(
  io: Io,
  { pool, json }: GlobalOptions,
  name: string | undefined,
): Promise<number> {
  const templates = await AgentOs.workflows({ pool }).templates();
  if (name === undefined) {
    if (json === true) await writeJson(io.stdout, { templates });
    else await write(io.stdout, formatTable(COLUMNS, templates));
    return EXIT_CODE.ok;
  }
  const found = templates.find((each) => each.name === name);
  if (found === undefined)
    throw new AgentOsError("NOT_FOUND", `there is no template ${name}`, {
      kind: "template",
      id: name,
    });
  if (json === true) await writeJson(io.stdout, found);
  else await write(io.stdout, found.text);
  return EXIT_CODE.ok;
}
