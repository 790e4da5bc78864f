import { posix } from "node:path";

import type { RuntimeHost } from "@agentos/core";
import {
  type ContentPart,
  Json,
  type JsonObject,
  type ToolCall,
  type ToolInfo,
} from "@agentos/protocol";
import * as z from "zod";

import { mcpContent } from "../agent-program/mcp-content.ts";

/** The MCP server that we are to Claude Code, over its own stdin and stdout. */
export const HOST_SERVER = "host";
/** The id of our hook before every tool. */
export const TOOL_HOOK = "before-tool";

const METHOD_NOT_FOUND = -32_601;
const NAME = /^mcp__(.+?)__(.+)$/;

const HookInput = z.object({
  input: z.object({
    tool_name: z.string(),
    tool_input: Json,
    tool_use_id: z.string(),
    cwd: z.string().optional().catch(undefined),
  }),
});
const McpMessage = z.object({
  message: z.object({
    id: z.union([z.string(), z.number()]).optional(),
    method: z.string(),
    params: z.record(z.string(), Json).optional(),
  }),
});

/** Calls of Claude Code's tools that are under way. */
export interface OwnCall {
  readonly name: string;
  readonly startedMs: number;
  readonly isDenied: boolean;
  readonly input: Json;
}

/**
 * What stands between Claude Code and its tools: a hook that it asks before each of its own, whatever its settings
 * allow, and the session's tools as an MCP server.
 */
export class ClaudeTools {
  readonly #host: RuntimeHost;
  readonly #tools: ReadonlyMap<string, ToolInfo>;
  readonly #calls = new Map<string, OwnCall>();
  /** Calls of our own tools by MCP request, to be cancelled. */
  #turn: AbortSignal = AbortSignal.abort();

  constructor(host: RuntimeHost, tools: readonly ToolInfo[]) {
    this.#host = host;
    this.#tools = new Map(tools.map((tool) => [wireName(tool), tool]));
  }

  get isEmpty(): boolean {
    return this.#tools.size === 0;
  }

  /** Whose calls come from now on. */
  begin(signal: AbortSignal): void {
    this.#turn = signal;
    this.#calls.clear();
  }

  /** Those of its own that ran when the life before ended. */
  restore(calls: readonly ToolCall[]): void {
    for (const { callId, name, server, input } of calls) {
      if (this.#tools.has(server === undefined ? name : `${server}__${name}`)) continue;
      this.#calls.set(callId, { name, startedMs: performance.now(), isDenied: false, input });
    }
  }

  /** One of its own that has ended; undefined: not one that was let run here. */
  take(callId: string): OwnCall | undefined {
    const call = this.#calls.get(callId);
    this.#calls.delete(callId);
    return call;
  }

  /** The answer to `hook_callback`. */
  async beforeTool(request: JsonObject, signal: AbortSignal): Promise<JsonObject> {
    const parsed = HookInput.safeParse(request);
    if (!parsed.success) return decision("deny", { reason: "the hook's input is not understood" });
    const { tool_name: name, tool_input: input, tool_use_id: callId, cwd } = parsed.data.input;
    // The policy is asked when it is called.
    if (name.startsWith(`mcp__${HOST_SERVER}__`)) return decision("allow", {});
    const call = toolCall(callId, name, input, cwd);
    const startedMs = performance.now();
    const verdict = await this.#host
      .authorizeTool(call, AbortSignal.any([signal, this.#turn]))
      .catch(() => ({ allow: false, message: "the turn was cancelled", input }));
    this.#calls.set(callId, { name: call.name, startedMs, isDenied: !verdict.allow, input });
    if (!verdict.allow) return decision("deny", { reason: verdict.message ?? "it was denied" });
    const isSame = JSON.stringify(verdict.input) === JSON.stringify(input);
    return decision("allow", isSame ? {} : { updatedInput: verdict.input });
  }

  /** The answer to `mcp_message`. */
  async answerMcp(request: JsonObject, signal: AbortSignal): Promise<JsonObject> {
    const { message } = McpMessage.parse(request);
    const { id = 0, method, params = {} } = message;
    const answer = await this.#mcp(method, params, signal);
    return { mcp_response: { jsonrpc: "2.0", id, ...answer } };
  }

  async #mcp(method: string, params: JsonObject, signal: AbortSignal): Promise<JsonObject> {
    if (method === "initialize") {
      const { protocolVersion = "2025-11-25" } = params;
      const serverInfo = { name: "agentos", version: "1" };
      return { result: { protocolVersion, capabilities: { tools: {} }, serverInfo } };
    }
    if (method === "tools/list") return { result: { tools: this.#listed() } };
    if (method === "tools/call") return { result: await this.#call(params, signal) };
    if (method === "ping" || method.startsWith("notifications/")) return { result: {} };
    return { error: { code: METHOD_NOT_FOUND, message: `there is no ${method}` } };
  }

  #listed(): JsonObject[] {
    return [...this.#tools].map(([name, { description, inputSchema }]) => ({
      name,
      description,
      inputSchema,
    }));
  }

  async #call(params: JsonObject, signal: AbortSignal): Promise<JsonObject> {
    const { name, arguments: input = {}, _meta: meta } = params;
    const tool = typeof name === "string" ? this.#tools.get(name) : undefined;
    if (tool === undefined) return failed(`Unknown tool: ${JSON.stringify(name)}`);
    const call: ToolCall = {
      callId: callIdOf(meta),
      name: tool.name,
      input,
      ...(tool.server === undefined ? {} : { server: tool.server }),
    };
    const both = AbortSignal.any([signal, this.#turn]);
    const result = await this.#host.callTool(call, both).catch(() => undefined);
    if (result === undefined) return failed("the turn was cancelled");
    return { content: mcpContent(result.content), isError: result.outcome !== "ok" };
  }
}

/** A call of Claude Code's own, as policies see it: `Bash`, or a tool of a server that the VM's settings name. */
function toolCall(callId: string, wire: string, input: Json, cwd: string | undefined): ToolCall {
  const [, server, name = wire] = NAME.exec(wire) ?? [];
  const path = pathIn(input);
  return {
    callId,
    name,
    input,
    ...(server === undefined ? {} : { server }),
    ...(path === undefined ? {} : { path: posix.resolve(cwd ?? "/", path) }),
  };
}

function pathIn(input: Json): string | undefined {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return undefined;
  const path = input["file_path"] ?? input["notebook_path"];
  return typeof path === "string" && path !== "" ? path : undefined;
}

function wireName({ name, server }: ToolInfo): string {
  return server === undefined ? name : `${server}__${name}`;
}

function callIdOf(meta: Json | undefined): string {
  const id =
    typeof meta === "object" && meta !== null && !Array.isArray(meta)
      ? meta["claudecode/toolUseId"]
      : undefined;
  return typeof id === "string" && id !== "" ? id : crypto.randomUUID();
}

function decision(
  permissionDecision: "allow" | "deny",
  { reason, updatedInput }: { reason?: string; updatedInput?: Json },
): JsonObject {
  return {
    hookSpecificOutput: {
      hookEventName: "PreToolUse",
      permissionDecision,
      ...(reason === undefined ? {} : { permissionDecisionReason: reason }),
      ...(updatedInput === undefined ? {} : { updatedInput }),
    },
  };
}

function failed(text: string): JsonObject {
  const content: ContentPart[] = [{ type: "text", text }];
  return { content: mcpContent(content), isError: true };
}
