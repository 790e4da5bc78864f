import * as z from "zod";

import { WorkflowDefinition } from "../src/index.ts";

export const WORKFLOW_SCHEMA_FILE = new URL("../workflow.schema.json", import.meta.url);

/** The JSON Schema of a workflow's file, as it is published: what editors check while it is written. */
export function workflowSchemaText(): string {
  const schema = z.toJSONSchema(WorkflowDefinition, { io: "input", target: "draft-2020-12" });
  const described = { title: "AgentOS workflow", ...schema };
  return `${JSON.stringify(described, null, 2)}\n`;
}
