import type { RuntimeHost, RuntimeTurnResult } from "@agentos/core";
import { type AgentOsError, Id, type Json } from "@agentos/protocol";
import * as z from "zod";

import { resultContent } from "../agent-program/mcp-content.ts";
import type { Block, ClaudeLine, ClaudeResult } from "./claude-line.ts";
import type { ClaudeTools, OwnCall } from "./claude-tools.ts";

type Line<T extends ClaudeLine["type"]> = Extract<ClaudeLine, { type: T }>;

const STOP_REASONS = { max_tokens: "max_tokens", refusal: "refusal" } as const;

export interface ClaudeTurnOptions {
  readonly host: RuntimeHost;
  readonly tools: ClaudeTools;
  readonly signal: AbortSignal;
  /** What a result that says it went wrong means. */
  readonly failure: (result: ClaudeResult) => AgentOsError;
}

/** One turn of Claude Code: what its lines mean until its result. */
export class ClaudeTurn {
  readonly #options: ClaudeTurnOptions;
  readonly #ended = Promise.withResolvers<RuntimeTurnResult>();
  /** What was said with this turn. */
  #text = "";

  constructor(options: ClaudeTurnOptions) {
    this.#options = options;
  }

  get ended(): Promise<RuntimeTurnResult> {
    return this.#ended.promise;
  }

  /** The program is gone. */
  gone(error: AgentOsError, isBegun: boolean): void {
    this.#ended.resolve({ stopReason: "error", text: "", error, aborted: !isBegun });
  }

  take(line: ClaudeLine): void {
    if (line.type === "stream_event") this.#delta(line);
    else if (line.type === "assistant") this.#assistant(line);
    else if (line.type === "user") this.#user(line);
    else if (line.type === "system") this.#system(line);
    else if (line.type === "rate_limit_event") this.#rateLimit(line);
    else if (line.type === "result") this.#result(line);
  }

  #delta({ event, parent_tool_use_id: parent }: Line<"stream_event">): void {
    const { delta } = event;
    if (event.type !== "content_block_delta" || delta === undefined) return;
    const agent = agentOf(parent);
    if (delta.type === "text_delta" && delta.text !== undefined) {
      this.#options.host.emit({ type: "text", delta: delta.text }, agent);
    }
    if (delta.type === "thinking_delta" && delta.thinking !== undefined) {
      this.#options.host.emit({ type: "thought", delta: delta.thinking }, agent);
    }
  }

  /** Of the main agent the deltas came before. */
  #assistant({ message, parent_tool_use_id: parent }: Line<"assistant">): void {
    const agent = agentOf(parent);
    for (const block of blocksOf(message.content)) {
      if (block.type === "tool_use" && block.name === "TodoWrite") this.#plan(block.input);
      if (agent === undefined || block.type !== "text" || block.text === undefined) continue;
      this.#options.host.emit({ type: "text", delta: block.text }, agent);
    }
  }

  #user({ message, tool_use_result: told }: Line<"user">): void {
    for (const block of blocksOf(message.content)) {
      if (block.type !== "tool_result" || block.tool_use_id === undefined) continue;
      const call = this.#options.tools.take(block.tool_use_id);
      if (call === undefined) continue;
      const outcome = outcomeOf(call, block);
      if (outcome === "ok") this.#fileChange(call, told);
      this.#options.host.toolEnded({
        callId: block.tool_use_id,
        name: call.name,
        outcome,
        content: resultContent(block.content),
        truncated: false,
        durationMs: performance.now() - call.startedMs,
      });
    }
  }

  #system({ subtype, error, attempt }: Line<"system">): void {
    const { host } = this.#options;
    if (subtype === "compact_boundary") host.emit({ type: "compaction" });
    if (subtype !== "api_retry") return;
    const message = `claude-code tries again (${attempt ?? 1}): ${error ?? "the model's provider failed"}`;
    host.emit({ type: "notice", message });
  }

  #rateLimit({ rate_limit_info: info }: Line<"rate_limit_event">): void {
    if (info?.status === undefined || info.status === "allowed") return;
    const resetAt =
      info.resetsAt === undefined ? null : new Date(info.resetsAt * 1000).toISOString();
    const hard = info.status !== "allowed_warning";
    this.#options.host.emit({ type: "rate_limit", resetAt, attempt: 0, hard });
  }

  #result(result: ClaudeResult): void {
    const { signal, failure } = this.#options;
    const { result: text = "", stop_reason: stop } = result;
    if (signal.aborted) return this.#ended.resolve({ stopReason: "cancelled", text: this.#text });
    if (result.is_error) {
      const error = failure(result);
      const stopReason = error.code === "RATE_LIMITED" ? "rate_limit" : "error";
      return this.#ended.resolve({ stopReason, text: "", error });
    }
    this.#text = text;
    // What was said meanwhile is a turn of its own to the program, and a part of this one to us.
    if ((result.queued_turn_count ?? 0) > 0) return;
    const isKnown = stop === "max_tokens" || stop === "refusal";
    this.#ended.resolve({ stopReason: isKnown ? STOP_REASONS[stop] : "end_turn", text });
  }

  #plan(input: Json | undefined): void {
    const plan = Todos.safeParse(fieldOf(input, "todos")).data ?? [];
    const entries = plan.map(({ content, status }) => ({ text: content, status }));
    if (entries.length > 0) this.#options.host.emit({ type: "plan", entries });
  }

  #fileChange({ name, input }: OwnCall, told: Json | undefined): void {
    const path = fieldOf(input, "file_path") ?? fieldOf(input, "notebook_path");
    if (!CHANGING.has(name) || typeof path !== "string") return;
    const kind = fieldOf(told, "type") === "create" ? "created" : "changed";
    this.#options.host.emit({ type: "file_change", path, kind });
  }
}

const Todos = z.array(
  z.object({ content: z.string(), status: z.enum(["pending", "in_progress", "completed"]) }),
);
const CHANGING = new Set(["Write", "Edit", "MultiEdit", "NotebookEdit"]);

function outcomeOf(
  { isDenied }: OwnCall,
  { is_error: isError }: Block,
): "ok" | "failed" | "denied" {
  if (isDenied) return "denied";
  return isError === true ? "failed" : "ok";
}

function blocksOf(content: string | Block[]): Block[] {
  return typeof content === "string" ? [] : content;
}

/** A subagent is named by the call that started it. */
function agentOf(parent: string | null | undefined): string | undefined {
  return Id.safeParse(parent).data;
}

function fieldOf(value: Json | undefined, name: string): Json | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return value[name];
}
