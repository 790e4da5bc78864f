import type { CustomStepDefinition, CustomSteps, WorkflowStep } from "@agentos/protocol";

import { fillText } from "./fill-text.ts";

type CustomStep = Extract<WorkflowStep, { use: string }>;
type Expanded = Exclude<WorkflowStep, CustomStep>;

/** A step with what its definition says, or undefined where no file defines it. Faults go to `errors`. */
export function expandCustom(
  step: CustomStep,
  { steps }: CustomSteps,
  errors: string[],
): Expanded | undefined {
  const definition = Object.hasOwn(steps, step.use) ? steps[step.use] : undefined;
  if (definition === undefined) return undefined;
  const params = paramsOf(step, definition, errors);
  const fill = (text: string): string => fillText(text, { vars: params, output: () => undefined });
  const { use: _use, params: _params, type: _type, ...common } = step;
  const timeoutMs = step.timeoutMs ?? definition.timeoutMs;
  const base = { ...common, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
  const {
    description: _description,
    params: _declared,
    timeoutMs: _timeout,
    ...fields
  } = definition;
  if (fields.type === "deterministic") return { ...base, ...fields, command: fill(fields.command) };
  const { baseBranch, path } = fields;
  return {
    ...base,
    ...fields,
    branch: fill(fields.branch),
    ...(baseBranch === undefined ? {} : { baseBranch: fill(baseBranch) }),
    ...(path === undefined ? {} : { path: fill(path) }),
  };
}

function paramsOf(
  step: CustomStep,
  { params: declared = [] }: CustomStepDefinition,
  errors: string[],
): Map<string, string> {
  const given = step.params ?? {};
  const known = new Set(declared.map(({ name }) => name));
  for (const name of Object.keys(given)) {
    if (!known.has(name)) errors.push(`step ${step.name}: ${step.use} has no parameter ${name}`);
  }
  const values = new Map<string, string>();
  for (const { name, required = false, default: fallback } of declared) {
    const value = Object.hasOwn(given, name) ? given[name] : fallback;
    if (value !== undefined) values.set(name, String(value));
    else if (required) errors.push(`step ${step.name}: ${step.use} needs the parameter ${name}`);
    // Left out and not needed: nothing, rather than a placeholder that nobody fills in.
    else values.set(name, "");
  }
  return values;
}
