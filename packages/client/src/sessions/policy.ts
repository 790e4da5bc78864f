import type { Policy, PolicyRule, ToolCall } from "@agentos/protocol";

import type { SessionFunction } from "./session-functions.ts";

/** Whether a rule applies to a call. One that throws denies. */
export type Predicate = (call: ToolCall) => boolean | Promise<boolean>;

/** Decides a call that a rule asks about. One that throws denies. */
export type AskHandler = (
  call: ToolCall,
) =>
  | boolean
  | { allow: boolean; message?: string }
  | Promise<boolean | { allow: boolean; message?: string }>;

export interface RuleOptions {
  readonly when?: Predicate;
  readonly name?: string;
  /** Told to the agent with a denial. */
  readonly reason?: string;
}

/** One rule of a policy: what of a tool, and what is decided. */
export interface Rule extends RuleOptions {
  readonly tool: string;
  readonly decision: "allow" | "deny" | "ask";
  /** For `ask`. Without one it is a permission request, which waits for `session.respond`. */
  readonly handler?: AskHandler;
}

/** A rule, or the folders that file tools stay below. */
export type PolicyItem = Rule | { readonly workspaceOnly: readonly string[] };

/** `tool`: a name, `server/name`, `server/*` or `*`. */
export function allow(tool: string, options: RuleOptions = {}): Rule {
  return { tool, decision: "allow", ...options };
}

export function deny(tool: string, options: RuleOptions = {}): Rule {
  return { tool, decision: "deny", ...options };
}

/** Asks the handler, or whoever answers the session's requests. */
export function ask(tool: string, options: RuleOptions & { handler?: AskHandler } = {}): Rule {
  return { tool, decision: "ask", ...options };
}

/** Everything, but for what `workspaceOnly` forbids. */
export function allowAll(): PolicyItem[] {
  return [allow("*")];
}

export function denyAll(): PolicyItem[] {
  return [deny("*")];
}

/** File tools act below these folders of the VM only, by real path; also where all else is allowed. */
export function workspaceOnly(paths: readonly string[]): PolicyItem[] {
  return [{ workspaceOnly: paths }];
}

/** Commands are confirmed by the handler, or denied without one; all else is allowed. */
export function confirmRunCommand(handler?: AskHandler): PolicyItem[] {
  const rule = handler === undefined ? deny("run_command") : ask("run_command", { handler });
  return [rule, allow("*")];
}

const READING = [
  "view_file",
  "list_directory",
  "find_file",
  "search_directory",
  "ask_question",
  "finish",
];

/** Reading is allowed; all else is asked, of the handler or by a permission request. */
export function safeDefaults(handler?: AskHandler): PolicyItem[] {
  return [
    ...READING.map((tool) => allow(tool)),
    ask("*", handler === undefined ? {} : { handler }),
  ];
}

/** The policy as the sidecar gets it, and the functions that its rules name. */
export function wirePolicy(
  items: readonly PolicyItem[],
  functions: Map<string, SessionFunction>,
): Policy {
  const rules: PolicyRule[] = [];
  const folders: string[] = [];
  for (const item of items) {
    if ("workspaceOnly" in item) folders.push(...item.workspaceOnly);
    else rules.push(wireRule(item, rules.length, functions));
  }
  return {
    rules,
    otherwise: "deny",
    ...(folders.length === 0 ? {} : { workspaceOnly: folders }),
  };
}

function wireRule(
  { when, handler, ...rule }: Rule,
  index: number,
  functions: Map<string, SessionFunction>,
): PolicyRule {
  const wire: PolicyRule = { ...rule };
  if (when !== undefined) {
    wire.when = `when:${index}`;
    functions.set(wire.when, async ({ ask: asked }) => ({
      kind: "predicate",
      matches: asked.kind === "predicate" && (await when(asked.call)),
    }));
  }
  if (handler !== undefined) {
    wire.handler = `handler:${index}`;
    functions.set(wire.handler, async ({ ask: asked }) => {
      if (asked.kind !== "handler") return { kind: "handler", allow: false };
      const said = await handler(asked.call);
      return typeof said === "boolean"
        ? { kind: "handler", allow: said }
        : { kind: "handler", ...said };
    });
  }
  return wire;
}
