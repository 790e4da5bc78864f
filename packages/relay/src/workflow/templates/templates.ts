import { AgentOsError } from "@agentos/protocol";
import { stringify } from "yaml";

import { BUILDING_TEMPLATES } from "./building-templates.ts";
import { REVIEW_TEMPLATES } from "./review-templates.ts";

const TEMPLATES = [...BUILDING_TEMPLATES, ...REVIEW_TEMPLATES].toSorted((a, b) =>
  a.name < b.name ? -1 : 1,
);

export interface TemplateInfo {
  readonly name: string;
  readonly description: string;
  readonly pattern: string;
  readonly agents: string[];
  /** The file. */
  readonly text: string;
}

export function listTemplates(): TemplateInfo[] {
  return TEMPLATES.map(({ name, definition }) => ({
    name,
    description: definition.description ?? "",
    pattern: definition.swarm.pattern,
    agents: (definition.agents ?? []).map((agent) => agent.name),
    text: stringify(definition),
  }));
}

/** The file of a template. Throws `NOT_FOUND`: a name is looked up, and never a path. */
export function templateText(name: string): string {
  const found = TEMPLATES.find((template) => template.name === name);
  if (found !== undefined) return stringify(found.definition);
  const known = TEMPLATES.map((template) => template.name).join(", ");
  const message = `there is no workflow template ${name}; there are: ${known}`;
  throw new AgentOsError("NOT_FOUND", message, { kind: "template", id: name });
}
