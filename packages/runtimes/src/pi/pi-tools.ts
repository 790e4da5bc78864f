import type { RuntimeHost } from "@agentos/core";
import {
  type ContentPart,
  DEFAULTS,
  type Json,
  type JsonObject,
  type ToolCall,
  type ToolInfo,
} from "@agentos/protocol";

import { mcpContent } from "../agent-program/mcp-content.ts";
import type { PiQuestion, PiToolEnd } from "./pi-message.ts";

/** What stands between Pi and its tools: the answers to its extension, and the session's own tools. */
export class PiTools {
  readonly #host: RuntimeHost;
  readonly #tools: ReadonlyMap<string, ToolInfo>;
  /** Since when a call of its own runs, and what of its output was told. */
  readonly #calls = new Map<string, { startedMs: number; output: string }>();
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
      this.#calls.set(callId, { startedMs: performance.now(), output: "" });
    }
  }

  /** The answer to a question; undefined where the turn is over. */
  async answer({ ask, callId, name, input }: PiQuestion): Promise<Json | undefined> {
    return ask === "call"
      ? await this.#call(callId, name, input)
      : await this.#authorize(callId, name, input);
  }

  /** What a tool of its own has written so far. */
  wrote(callId: string, text: string): void {
    const call = this.#calls.get(callId);
    if (call === undefined || !text.startsWith(call.output)) return;
    const delta = text.slice(call.output.length);
    call.output = text;
    if (delta !== "") this.#host.emit({ type: "tool_output", callId, delta });
  }

  /** One of its own has ended. */
  ended({ toolCallId: callId, toolName: name, result, isError }: PiToolEnd): void {
    const call = this.#calls.get(callId);
    if (call === undefined) return;
    const text = (result.content ?? []).flatMap((block) => block.text ?? []).join("\n");
    this.#told(callId, name, isError ? "failed" : "ok", text);
  }

  async #authorize(callId: string, name: string, input: Json): Promise<Json | undefined> {
    const path = pathOf(input);
    const call = { callId, name, input, ...(path === undefined ? {} : { path }) };
    this.#calls.set(callId, { startedMs: performance.now(), output: "" });
    const verdict = await this.#host.authorizeTool(call, this.#turn).catch(() => undefined);
    if (verdict === undefined) return undefined;
    const message = verdict.message ?? "it was denied";
    if (verdict.allow) return { allow: true, input: verdict.input };
    this.#told(callId, name, "denied", message);
    return { allow: false, message };
  }

  async #call(callId: string, wire: string, input: Json): Promise<Json | undefined> {
    const tool = this.#tools.get(wire);
    if (tool === undefined) return failure(`Unknown tool: '${wire}'`);
    const { name, server } = tool;
    const call = { callId, name, input, ...(server === undefined ? {} : { server }) };
    const result = await this.#host.callTool(call, this.#turn).catch(() => undefined);
    if (result === undefined) return undefined;
    return { isError: result.outcome !== "ok", content: mcpContent(result.content) };
  }

  #told(callId: string, name: string, outcome: "ok" | "failed" | "denied", text: string): void {
    const startedMs = this.#calls.get(callId)?.startedMs ?? performance.now();
    this.#calls.delete(callId);
    const content: ContentPart[] = [
      { type: "text", text: text.slice(0, DEFAULTS.toolResultBytes) },
    ];
    const truncated = text.length > DEFAULTS.toolResultBytes;
    const durationMs = performance.now() - startedMs;
    this.#host.toolEnded({ callId, name, outcome, content, truncated, durationMs });
  }
}

/** How the session's tools are offered to its model. */
export function wireName({ name, server }: ToolInfo): string {
  return server === undefined ? name : `${server}__${name}`;
}

/** Of its file tools. */
function pathOf(input: Json): string | undefined {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return undefined;
  const { path } = input;
  return typeof path === "string" && path.startsWith("/") ? path : undefined;
}

function failure(text: string): JsonObject {
  return { isError: true, content: [{ type: "text", text }] };
}
