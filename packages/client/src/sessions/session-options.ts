import {
  AgentOsError,
  type Budget,
  type Capabilities,
  type ChatMessage,
  type Content,
  type McpServer,
  parseArgument,
  type PendingRequest,
  type RequestAnswer,
  SessionRequest,
  type SessionSpec,
  type SessionTerminal,
  type SubagentSpec,
  type SystemPrompt,
  type Timeouts,
} from "@agentos/protocol";

import { type Hooks, wireHooks } from "./hooks.ts";
import { type ToolDefinition, toolFunction, wireTool } from "./host-tool.ts";
import { type PolicyItem, wirePolicy } from "./policy.ts";
import { type ProviderOption, withKey } from "./provider-key.ts";
import type { SessionFunction } from "./session-functions.ts";
import { type Trigger, wireTrigger } from "./triggers.ts";

/** How a session that may exist is opened. */
export interface ResumeOption {
  /** The session's id. */
  readonly id: string;
  /** Default `resume`: it must exist. */
  readonly mode?: "resume" | "createOrResume" | "createOnly";
  /** The full prompt for the one fresh run where the agent has lost its session. */
  readonly freshPrompt?: Content;
}

/** Says what is answered to a permission request or question; `undefined` leaves it open for others. */
export type RequestHandler = (
  request: PendingRequest,
) => RequestAnswer | undefined | Promise<RequestAnswer | undefined>;

export type SubagentOptions = Omit<SubagentSpec, "tools"> & {
  readonly tools?: readonly ToolDefinition[];
};

/** What a session is made of. Of the defaults, docs/sessions.md has the table. */
export interface SessionOptions {
  /** The kind of agent: `api`; `anthropic`, `openai` and `gemini` are `api` with that provider. A session that is resumed has its own. */
  readonly runtime?: string;
  /** Where the model is. Without `apiKey` it is read from this program's environment. */
  readonly provider?: ProviderOption;
  readonly model?: string;
  /** The session's id; default a new one. */
  readonly id?: string;
  /** Goes on with a session, by its id: as it was, but for what else is given here. */
  readonly resume?: string | ResumeOption;
  /** Default /workspace. */
  readonly cwd?: string;
  /** For the agent and its commands. */
  readonly env?: Readonly<Record<string, string>>;
  /** The agent's program, where its runtime takes one: `acp`, `command`, `pty`. */
  readonly command?: string;
  /** Its arguments. With `command`, `{prompt}` in them is the prompt, which comes on stdin otherwise. */
  readonly args?: readonly string[];
  /** How a program on a terminal is used, with `pty`. */
  readonly terminal?: SessionTerminal;
  /** Which installed version of the agent's program. Default: the one that this build was tried with. */
  readonly agentVersion?: string;
  /** A text replaces the agent's own; `append` adds to it. */
  readonly systemPrompt?: SystemPrompt;
  /** Folders that file tools stay below. Default: anywhere in the VM. */
  readonly workspaces?: readonly string[];
  /** Folders of the VM with a SKILL.md each. */
  readonly skills?: readonly string[];
  readonly initialHistory?: readonly ChatMessage[];
  readonly capabilities?: Capabilities;
  /** Tools that run in this program. */
  readonly tools?: readonly ToolDefinition[];
  readonly mcpServers?: Readonly<Record<string, McpServer>>;
  /** Subagents by name, which the agent may start. A tool may be given to several; different ones have different names. */
  readonly agents?: Readonly<Record<string, SubagentOptions>>;
  /** JSON Schema of an object: the turn's `output` matches it. */
  readonly outputSchema?: SessionSpec["outputSchema"];
  /** Default: inside the VM allowed, across its border asked. Given: what no rule matches is denied. */
  readonly policies?: readonly PolicyItem[];
  readonly hooks?: Hooks;
  readonly triggers?: readonly Trigger[];
  readonly budget?: Budget;
  readonly compaction?: SessionSpec["compaction"];
  readonly timeouts?: Timeouts;
  readonly turnSpacingMs?: number;
  /** Whether asking waits for somebody to answer. Default `wait` with `onRequest`, else `deny`. */
  readonly asks?: "wait" | "deny";
  /** Answers permission requests and questions. */
  readonly onRequest?: RequestHandler;
  readonly retries?: number;
  readonly thinking?: SessionSpec["thinking"];
  /** One of the agent's own modes, by its id: `plan`. Default: the agent's. */
  readonly mode?: string;
  readonly maxOutputTokens?: number;
}

/** A new session, or one that is resumed. */
export type CreateSessionOptions = SessionOptions &
  ({ readonly runtime: string } | { readonly resume: string | ResumeOption });

const MODES = {
  resume: "resume",
  createOrResume: "create_or_resume",
  createOnly: "create_only",
} as const;

/** The options as the sidecar gets them, and the functions among them. Throws `INVALID_ARGUMENT`. */
export function wireSession(
  options: SessionOptions,
  newId: string,
  env: Readonly<Record<string, string | undefined>>,
): { spec: SessionRequest; functions: Map<string, SessionFunction> } {
  assertToolNames(options);
  const functions = new Map<string, SessionFunction>();
  const { id, resume, tools, agents, policies, hooks, triggers, onRequest, provider, ...plain } =
    options;
  const resumed = typeof resume === "string" ? { id: resume } : resume;
  const spec = {
    ...plain,
    sessionId: resumed?.id ?? id ?? newId,
    provider: withKey(options.runtime, provider, env),
    resume: resumed === undefined ? undefined : wireResume(resumed),
    tools: tools === undefined ? undefined : wireTools(tools, functions),
    agents: agents === undefined ? undefined : wireAgents(agents, functions),
    policy: policies === undefined ? undefined : wirePolicy(policies, functions),
    hooks: hooks === undefined ? undefined : wireHooks(hooks, functions),
    triggers: triggers?.map((trigger, index) => wireTrigger(trigger, index, functions)),
    asks: plain.asks ?? (onRequest === undefined ? undefined : "wait"),
  };
  return { spec: parseArgument(SessionRequest, withoutUndefined(spec), "options"), functions };
}

/** A subagent as the sidecar gets it. */
export function wireAgent(
  { tools, ...agent }: SubagentOptions,
  functions: Map<string, SessionFunction>,
): SubagentSpec {
  return tools === undefined ? agent : { ...agent, tools: wireTools(tools, functions) };
}

/** Calls come by a tool's name: the session and its subagents may share one tool, not one name. */
function assertToolNames({ tools = [], agents = {} }: SessionOptions): void {
  const known = new Map<string, ToolDefinition>();
  for (const tool of [...tools, ...Object.values(agents).flatMap((agent) => agent.tools ?? [])]) {
    const { name } = tool;
    if ((known.get(name) ?? tool) !== tool) throw twoTools(name);
    known.set(name, tool);
  }
}

function twoTools(name: string): AgentOsError<"INVALID_ARGUMENT"> {
  const expected = "one tool of each name, of the session and its agents together";
  const message = `options.tools: expected ${expected}, got two named ${JSON.stringify(name)}`;
  const details = { argument: "options.tools", expected, actual: name };
  return new AgentOsError("INVALID_ARGUMENT", message, details);
}

function wireTools(
  tools: readonly ToolDefinition[],
  functions: Map<string, SessionFunction>,
): ReturnType<typeof wireTool>[] {
  for (const tool of tools) functions.set(`tool:${tool.name}`, toolFunction(tool));
  return tools.map(wireTool);
}

function wireAgents(
  agents: Readonly<Record<string, SubagentOptions>>,
  functions: Map<string, SessionFunction>,
): Record<string, SubagentSpec> {
  return Object.fromEntries(
    Object.entries(agents).map(([name, agent]) => [name, wireAgent(agent, functions)]),
  );
}

function wireResume({ mode = "resume", freshPrompt }: ResumeOption): SessionSpec["resume"] {
  return { mode: MODES[mode], ...(freshPrompt === undefined ? {} : { freshPrompt }) };
}

function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined));
}
