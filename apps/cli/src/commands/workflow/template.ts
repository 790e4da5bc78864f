import { AgentOs, AgentOsError, type WorkflowTemplate } from "@agentos/client";

import type { GlobalOptions } from "../../command-context.ts";
import { EXIT_CODE } from "../../exit-code.ts";
import type { Io } from "../../io.ts";
import { type Column, formatTable } from "../../output/table.ts";
import { write, writeJson } from "../../output/write.ts";
import { type OwnTemplate, ownTemplates } from "../../workflow/own-templates.ts";

const COLUMNS: readonly Column<WorkflowTemplate>[] = [
  { title: "TEMPLATE", value: ({ name }) => name },
  { title: "PATTERN", value: ({ pattern }) => pattern },
  { title: "AGENTS", value: ({ agents }) => agents.join(", ") },
  { title: "WHAT IT DOES", value: ({ description }) => description },
];

export interface TemplateOptions {
  readonly templates?: string;
}

/** `agentos workflow template [NAME]`: the list, or one's file. Those of one's own come before others of their name. */
export async function template(
  io: Io,
  { pool, json }: GlobalOptions,
  name: string | undefined,
  options: TemplateOptions,
): Promise<number> {
  const workflows = AgentOs.workflows({ pool });
  const texts = await ownTemplates(io, options.templates);
  const own = await Promise.all(texts.map((each) => described(workflows, each)));
  const others = (await workflows.templates()).filter(
    (each) => !own.some((mine) => mine.name === each.name),
  );
  const templates = [...own, ...others].toSorted((a, b) => (a.name < b.name ? -1 : 1));
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

/** One that is no workflow is listed with what is wrong. */
async function described(
  workflows: ReturnType<typeof AgentOs.workflows>,
  { name, text }: OwnTemplate,
): Promise<WorkflowTemplate> {
  try {
    const { description, pattern, agents } = await workflows.check({ text });
    const names = agents.map((agent) => agent.name);
    return { name, description: description ?? "", pattern, agents: names, text };
  } catch (error) {
    if (!(error instanceof AgentOsError)) throw error;
    return { name, description: error.message, pattern: "-", agents: [], text };
  }
}
