import * as z from "zod";

import { Id, VmPath } from "../ids.ts";
import { TerminalCells } from "../terminal.ts";
import { Environment } from "../vm.ts";
import { Content, ChatMessage } from "./content.ts";
import { HookPoint } from "./hook.ts";
import { JsonObject } from "./json.ts";
import { CallbackName, Policy } from "./policy.ts";
import { ToolName } from "./tool.ts";

const milliseconds = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);
const AgentName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "expected 1 to 64 of A-Z a-z 0-9 _ -");

export const SystemPrompt = z.union([
  /** Replaces the agent's own. */
  z.string().min(1),
  z.strictObject({ append: z.string().min(1) }),
  z.strictObject({
    identity: z.string().optional(),
    sections: z.array(z.strictObject({ title: z.string().optional(), content: z.string() })),
  }),
]);
export type SystemPrompt = z.infer<typeof SystemPrompt>;

/** A tool that the client runs in its own process. */
export const HostTool = z.strictObject({
  name: ToolName,
  description: z.string().max(8192),
  /** JSON Schema of its input, an object. */
  inputSchema: JsonObject,
  /** Its effect is outside the VM: the default policy asks. Default true. */
  crossesBorder: z.boolean().optional(),
  /** Default 120 s. */
  timeoutMs: milliseconds.optional(),
});
export type HostTool = z.infer<typeof HostTool>;

const McpTools = {
  /** At most one of the two. */
  enabledTools: z.array(z.string()).optional(),
  disabledTools: z.array(z.string()).optional(),
  /** Until it answers at the start. Default 30 s. */
  startMs: milliseconds.optional(),
  /** Of one call. Default 120 s. */
  timeoutMs: milliseconds.optional(),
};

export const McpServer = z.union([
  /** A program in the VM. */
  z.strictObject({
    type: z.literal("stdio").optional(),
    command: z.string().min(1),
    args: z.array(z.string()).optional(),
    env: Environment.optional(),
    ...McpTools,
  }),
  /** Streamable HTTP, from the sidecar. */
  z.strictObject({
    type: z.literal("http").optional(),
    url: z.url({ protocol: /^https?$/ }),
    headers: z.record(z.string(), z.string()).optional(),
    ...McpTools,
  }),
]);
export type McpServer = z.infer<typeof McpServer>;

export const Capabilities = z.strictObject({
  /** At most one of the two: which built-in tools the agent has. */
  enabledTools: z.array(ToolName).optional(),
  disabledTools: z.array(ToolName).optional(),
  /** Default: where there are `agents`. */
  subagents: z
    .union([
      z.boolean(),
      z.strictObject({
        /** Default 1. */
        maxDepth: z.int().min(1).max(8).optional(),
        /** Names of `agents`; absent: all of them. */
        allow: z.array(AgentName).optional(),
      }),
    ])
    .optional(),
});
export type Capabilities = z.infer<typeof Capabilities>;

/** Ends the session's current turn once reached, and says which one it was. Unknown budgets are refused. */
export const Budget = z.strictObject({
  /** Model calls of the session's life. */
  turns: z.int().min(1).optional(),
  /** Model calls that asked for a tool. */
  toolTurns: z.int().min(1).optional(),
  tokens: z.int().min(1).optional(),
  usd: z.number().positive().optional(),
  /** Time of running turns together; waiting for people does not count. */
  wallMs: milliseconds.optional(),
});
export type Budget = z.infer<typeof Budget>;

export const Trigger = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("interval"),
    everyMs: z.int().min(1_000),
    prompt: Content.optional(),
    callback: CallbackName.optional(),
  }),
  z.strictObject({
    kind: z.literal("file_change"),
    path: VmPath,
    /** `{changes}` in it is replaced by the changed paths. */
    prompt: z.string().min(1).optional(),
    callback: CallbackName.optional(),
  }),
  z.strictObject({
    kind: z.literal("schedule"),
    /** Five fields of cron, in UTC. */
    cron: z.string().min(1),
    prompt: Content.optional(),
    callback: CallbackName.optional(),
  }),
]);
export type Trigger = z.infer<typeof Trigger>;

export const Timeouts = z.strictObject({
  /** Until the agent is ready. Default 120 s. */
  startMs: milliseconds.optional(),
  /** Between two signs of life within a step. Default 120 s, none with the runtimes `command` and `pty`; 0: none. */
  stepIdleMs: z.int().min(0).optional(),
  /** Between two events of the whole run; extended to a rate limit's reset. Default 300 s; 0: none. */
  inactivityMs: z.int().min(0).optional(),
  /** From asking the agent to end to its tree being killed. Default 10 s. */
  shutdownMs: milliseconds.optional(),
});
export type Timeouts = z.infer<typeof Timeouts>;

const Provider = z.strictObject({
  /** `anthropic`, `openai`, `openai-chat`, `gemini` or `openai-compatible`. */
  name: z.string().min(1).max(64),
  baseUrl: z.url({ protocol: /^https?$/ }).optional(),
  /** Kept sealed, outside the VM, and never told again. */
  apiKey: z.string().min(1).max(4096).optional(),
});

export const Resume = z.strictObject({
  mode: z.enum(["resume", "create_or_resume", "create_only"]),
  /** The full prompt for the one fresh run where the agent has lost its session. */
  freshPrompt: Content.optional(),
});
export type Resume = z.infer<typeof Resume>;

/** Everything that an agent is given, but for what only a session of its own has. */
const agentFields = {
  model: z.string().min(1).max(256).optional(),
  systemPrompt: SystemPrompt.optional(),
  capabilities: Capabilities.optional(),
  tools: z.array(HostTool).max(128).optional(),
};

export const SubagentSpec = z.strictObject({
  ...agentFields,
  /** Told to the main agent. */
  description: z.string().min(1).max(4096),
});
export type SubagentSpec = z.infer<typeof SubagentSpec>;

/** How a program on a terminal is used as an agent. */
export const SessionTerminal = z.strictObject({
  /** Default 120 by 40. */
  cols: TerminalCells.optional(),
  rows: TerminalCells.optional(),
  /**
   * A regular expression of JavaScript with the flags `m` and `u`: the program takes input, and a turn is
   * over, once its screen matches. Default: once it was silent.
   */
  ready: z.string().min(1).max(1_024).optional(),
  /** Silence that ends a turn. Default 3 s; 0.3 s with `ready`. */
  quietMs: z.int().min(50).max(3_600_000).optional(),
  /** What is typed after a prompt. Default: Enter. */
  submit: z.string().min(1).max(16).optional(),
  /** What is typed to stop a turn. Default: ^C. */
  interrupt: z.string().min(1).max(16).optional(),
});
export type SessionTerminal = z.infer<typeof SessionTerminal>;

/** What a session is made of. Unknown fields are refused, since many of them bound what an agent may do. */
export const SessionSpec = z.strictObject({
  ...agentFields,
  /** The client's id: a repeated request gives the same session. */
  sessionId: Id,
  runtime: z.string().min(1).max(64),
  provider: Provider.optional(),
  /** Default /workspace. */
  cwd: VmPath.optional(),
  env: Environment.optional(),
  /** The agent's program, where its runtime takes one: `acp`, `command`, `pty`. */
  command: z.string().min(1).optional(),
  /** Its arguments. With `command`, `{prompt}` in them is the prompt, which comes on stdin otherwise. */
  args: z.array(z.string()).max(256).optional(),
  /** With the runtime `pty`. */
  terminal: SessionTerminal.optional(),
  /** Which installed version of the agent's program. Default: the one that this build was tried with. */
  agentVersion: z.string().min(1).max(64).optional(),
  resume: Resume.optional(),
  /** Where file tools may act. Default: `cwd`. Empty: anywhere in the VM. */
  workspaces: z.array(VmPath).max(32).optional(),
  /** Folders of the VM with a SKILL.md each. */
  skills: z.array(VmPath).max(64).optional(),
  initialHistory: z.array(ChatMessage).max(1_000).optional(),
  mcpServers: z.record(AgentName, McpServer).optional(),
  agents: z.record(AgentName, SubagentSpec).optional(),
  /** JSON Schema, an object: what the turn's structured output must match. */
  outputSchema: JsonObject.optional(),
  policy: Policy.optional(),
  /** Which functions the client has, by point, in order. */
  hooks: z
    .array(
      z.strictObject({ point: HookPoint, callback: CallbackName, name: z.string().optional() }),
    )
    .max(128)
    .optional(),
  triggers: z.array(Trigger).max(32).optional(),
  budget: Budget.optional(),
  compaction: z.strictObject({ tokenThreshold: z.int().min(1_000) }).optional(),
  timeouts: Timeouts.optional(),
  /** Least time between the starts of two turns. Default 0. */
  turnSpacingMs: z.int().min(0).max(600_000).optional(),
  /** What a question or an `ask` does where nobody is known to answer. Default `deny`. */
  asks: z.enum(["wait", "deny"]).optional(),
  /** Tries of ours after a provider's failure, per turn. Default 2. */
  retries: z.int().min(0).max(10).optional(),
  thinking: z.enum(["off", "low", "medium", "high"]).optional(),
  maxOutputTokens: z.int().min(1).optional(),
  /** One of the agent's own modes, by its id: `plan`. */
  mode: z.string().min(1).max(128).optional(),
});
export type SessionSpec = z.infer<typeof SessionSpec>;

/** What a session is asked for with. One that is resumed is as it was, but for what is given: it needs no runtime. */
export const SessionRequest = SessionSpec.extend({ runtime: SessionSpec.shape.runtime.optional() });
export type SessionRequest = z.infer<typeof SessionRequest>;
