import type { RuntimeHost } from "@agentos/core";
import type { Json, JsonObject, ToolCall, ToolInfo, ToolResult } from "@agentos/protocol";

import { wireName } from "./codex-command.ts";
import type { HookInput } from "./codex-hook.ts";
import { DynamicCall } from "./codex-message.ts";

/** Of its own: a tool of a server that the VM's settings name. */
const MCP_NAME = /^mcp__(.+?)__(.+)$/;

interface OwnCall {
  readonly name: string;
  readonly startedMs: number;
}

/** What stands between Codex and its tools: the answer to its hook, and the session's own tools. */
export class CodexTools {
  readonly #host: RuntimeHost;
  readonly #tools: ReadonlyMap<string, ToolInfo>;
  readonly #calls = new Map<string, OwnCall>();
  #turn: AbortSignal = AbortSignal.abort();

  constructor(host: RuntimeHost, tools: readonly ToolInfo[]) {
    this.#host = host;
    this.#tools = new Map(tools.map((tool) => [wireName(tool), tool]));
  }

  /** Whose calls come from now on. */
  begin(signal: AbortSignal): void {
    this.#turn = signal;
    this.#calls.clear();
  }

  /** Those of its own that ran when the life before ended. */
  restore(calls: readonly ToolCall[]): void {
    for (const { callId, name, server } of calls) {
      if (this.#tools.has(server === undefined ? name : `${server}__${name}`)) continue;
      this.#calls.set(callId, { name, startedMs: performance.now() });
    }
  }

  /** The hook's answer. */
  async beforeTool({
    tool_name: wire,
    tool_input: input,
    tool_use_id: callId,
  }: HookInput): Promise<JsonObject> {
    // The policy is asked when it is called.
    if (this.#tools.has(wire)) return allow();
    const [, server, name = wire] = MCP_NAME.exec(wire) ?? [];
    const call: ToolCall = { callId, name, input, ...(server === undefined ? {} : { server }) };
    const startedMs = performance.now();
    const verdict = await this.#host
      .authorizeTool(call, this.#turn)
      .catch(() => ({ allow: false, message: "the turn was cancelled", input }));
    if (!verdict.allow) {
      const reason = verdict.message ?? "it was denied";
      this.#told(call, "denied", reason, startedMs);
      return deny(reason);
    }
    this.#calls.set(callId, { name, startedMs });
    return JSON.stringify(verdict.input) === JSON.stringify(input) ? allow() : allow(verdict.input);
  }

  /** One of its own has ended. */
  ended(callId: string, outcome: ToolResult["outcome"], text: string): void {
    const call = this.#calls.get(callId);
    if (call === undefined) return;
    this.#calls.delete(callId);
    this.#told({ callId, name: call.name }, outcome, text, call.startedMs);
  }

  /** The answer to `item/tool/call`. */
  async call(params: Json): Promise<JsonObject> {
    const { callId, tool: wire, arguments: input } = DynamicCall.parse(params);
    const tool = this.#tools.get(wire);
    if (tool === undefined) return answer(false, `Unknown tool: '${wire}'`);
    const { name, server } = tool;
    const call = { callId, name, input, ...(server === undefined ? {} : { server }) };
    const result = await this.#host.callTool(call, this.#turn).catch(() => undefined);
    if (result === undefined) return answer(false, "the turn was cancelled");
    const contentItems = result.content.map((part): JsonObject => {
      if (part.type === "text") return { type: "inputText", text: part.text };
      if (part.type === "image" && part.data !== undefined) {
        return { type: "inputImage", imageUrl: `data:${part.mediaType};base64,${part.data}` };
      }
      return { type: "inputText", text: `[${part.type} ${part.path ?? part.mediaType}]` };
    });
    return { success: result.outcome === "ok", contentItems };
  }

  #told(
    { callId, name }: Pick<ToolCall, "callId" | "name">,
    outcome: ToolResult["outcome"],
    text: string,
    startedMs: number,
  ): void {
    this.#host.toolEnded({
      callId,
      name,
      outcome,
      content: [{ type: "text", text }],
      truncated: false,
      durationMs: performance.now() - startedMs,
    });
  }
}

/** Nothing said lets it run; only a changed input needs the word. */
function allow(updatedInput?: Json): JsonObject {
  if (updatedInput === undefined) return {};
  return output({ permissionDecision: "allow", updatedInput });
}

function deny(permissionDecisionReason: string): JsonObject {
  return output({ permissionDecision: "deny", permissionDecisionReason });
}

function output(fields: JsonObject): JsonObject {
  return { hookSpecificOutput: { hookEventName: "PreToolUse", ...fields } };
}

function answer(success: boolean, text: string): JsonObject {
  return { success, contentItems: [{ type: "inputText", text }] };
}
