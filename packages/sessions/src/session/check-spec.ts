import type { AgentRuntime, RuntimeCapabilities } from "@agentos/core";
import { AgentOsError, type PolicyRule, type SessionSpec } from "@agentos/protocol";

import { objectSchema } from "../tools/object-schema.ts";
import { assertPrompt } from "./assert-prompt.ts";
import { checkSubagents } from "./check-subagents.ts";
import { assertCron } from "./cron-time.ts";
import { invalidArgument } from "./session-errors.ts";

/** Throws for a specification that the runtime can't keep: `UNSUPPORTED`, `UNSUPPORTED_POLICY`, `INVALID_ARGUMENT`. */
export function checkSpec(spec: SessionSpec, runtime: AgentRuntime): void {
  const { outputSchema, resume } = spec;
  if (outputSchema !== undefined) objectSchema(outputSchema, "session.outputSchema");
  if (resume?.freshPrompt !== undefined)
    assertPrompt(resume.freshPrompt, "session.resume.freshPrompt");
  for (const trigger of spec.triggers ?? []) checkTrigger(trigger);
  checkCapabilities(spec, runtime);
  checkSubagents(spec);
  if (runtime.capabilities.permissions === "none") checkPolicy(spec, runtime.name);
}

function checkTrigger(trigger: NonNullable<SessionSpec["triggers"]>[number]): void {
  const argument = "session.triggers";
  const { kind, prompt, callback } = trigger;
  if (prompt !== undefined) assertPrompt(prompt, `${argument}.prompt`);
  else if (callback === undefined) throw invalidArgument(argument, "a prompt or a callback", kind);
  if (kind === "schedule") assertCron(trigger.cron);
  if (kind !== "file_change" || !trigger.path.split("/").includes("..")) return;
  throw invalidArgument(`${argument}.path`, "a path without ..", trigger.path);
}

function checkCapabilities(spec: SessionSpec, { name, capabilities }: AgentRuntime): void {
  const { tools = [], agents = {}, budget = {} } = spec;
  const hasAgents =
    Object.keys(agents).length > 0 || (spec.capabilities?.subagents ?? false) !== false;
  const asked: readonly [boolean, boolean, string][] = [
    [spec.outputSchema !== undefined, capabilities.outputSchema, "outputSchema"],
    [tools.length > 0, capabilities.hostTools.length > 0, "tools of the client"],
    [hasAgents, capabilities.subagents, "subagents"],
    [spec.compaction !== undefined, capabilities.compaction, "compaction"],
    [needsUsage(budget), capabilities.usage, "a budget of tokens, money or model calls"],
    [spec.mode !== undefined, capabilities.modes, "a mode of the agent's own"],
    [spec.resume?.mode === "resume", capabilities.resume, "resume"],
  ];
  const missing = asked.find(([isAsked, isThere]) => isAsked && !isThere);
  if (missing === undefined) return;
  const what = `${missing[2]} with the runtime ${name}`;
  throw new AgentOsError("UNSUPPORTED", `${what} can't be had`, { what });
}

function needsUsage({
  turns,
  toolTurns,
  tokens,
  usd,
}: NonNullable<SessionSpec["budget"]>): boolean {
  return [turns, toolTurns, tokens, usd].some((limit) => limit !== undefined);
}

/** An agent that never asks is held by nothing but the VM's walls: only our own tools are judged. */
function checkPolicy({ policy, tools = [], hooks = [] }: SessionSpec, runtime: string): void {
  const hook = hooks.find(({ point }) => point === "pre_tool_call");
  if (hook !== undefined) throw unsupported(runtime, `the hook ${hook.callback} at pre_tool_call`);
  if (policy === undefined) return;
  const ours = new Set(tools.map(({ name }) => name));
  const isOurs = ({ tool }: PolicyRule): boolean => tool.includes("/") || ours.has(tool);
  const rule = policy.rules.find((each) => each.decision !== "allow" && !isOurs(each));
  if (rule !== undefined) throw unsupported(runtime, `${rule.decision} ${rule.tool}`);
  if ((policy.workspaceOnly?.length ?? 0) > 0) throw unsupported(runtime, "workspaceOnly");
  const allowsAll = policy.rules.some(({ tool, decision, when }) => {
    return tool === "*" && decision === "allow" && when === undefined;
  });
  if (policy.otherwise === "deny" && !allowsAll) throw unsupported(runtime, "otherwise deny");
}

function unsupported(runtime: string, rule: string): AgentOsError<"UNSUPPORTED_POLICY"> {
  const reason = "its agent does not ask before it runs a tool";
  const message = `the runtime ${runtime} can't keep the rule "${rule}": ${reason}`;
  return new AgentOsError("UNSUPPORTED_POLICY", message, { runtime, rule, reason });
}

/** Throws `UNSUPPORTED`. */
export function assertSupports(
  runtime: AgentRuntime,
  capability: Extract<keyof RuntimeCapabilities, "fork" | "resume" | "subagents">,
): void {
  if (runtime.capabilities[capability]) return;
  const what = `${capability} with the runtime ${runtime.name}`;
  throw new AgentOsError("UNSUPPORTED", `${what} can't be had`, { what });
}
