import * as z from "zod";

import { parseArgument } from "../invalid-argument.ts";
import { WorkflowDefinition } from "./workflow-definition.ts";
import { AgentStep, CustomStep, DeterministicStep, WorktreeStep } from "./workflow-step.ts";

/** The definition, or `INVALID_ARGUMENT` that names the field, what was expected there and what came. */
export function parseWorkflow(value: unknown, name = "workflow"): WorkflowDefinition {
  const result = WorkflowDefinition.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  // Of a step the union says only that no kind of step matched: its own kind says why.
  if (issue?.code === "invalid_union") {
    const step = at(value, issue.path);
    parseArgument(schemaOf(step), step, [name, ...issue.path].map(String).join("."));
  }
  return parseArgument(WorkflowDefinition, value, name);
}

function schemaOf(step: unknown): z.ZodType {
  if (typeof step !== "object" || step === null) return AgentStep;
  const type: unknown = Reflect.get(step, "type");
  if (type === "deterministic") return DeterministicStep;
  if (type === "worktree") return WorktreeStep;
  if (type === "custom" || (type === undefined && "use" in step)) return CustomStep;
  if (type === undefined || type === "agent") return AgentStep;
  return z.object({ type: z.enum(["agent", "deterministic", "worktree", "custom"]) });
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined,
    value,
  );
}
