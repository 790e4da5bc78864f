import type { RuntimeHost, RuntimeTurnResult } from "@agentos/core";
import { type AgentOsError, Json, type SessionSpec } from "@agentos/protocol";

import {
  type CodexError,
  type CodexItem,
  type CodexTurn,
  DeltaParams,
  ErrorParams,
  ItemParams,
  PlanParams,
} from "./codex-message.ts";
import type { CodexTools } from "./codex-tools.ts";

export interface CodexTurnOptions {
  readonly host: RuntimeHost;
  readonly tools: CodexTools;
  readonly spec: SessionSpec;
  readonly signal: AbortSignal;
  /** What a failed turn means. */
  readonly failure: (error: CodexError) => AgentOsError;
}

const KINDS = { add: "created", delete: "removed", update: "changed" } as const;
const PLAN_STATES = {
  pending: "pending",
  inProgress: "in_progress",
  completed: "completed",
} as const;

/** One turn of Codex: what its notifications mean until it is over. */
export class CodexRun {
  readonly #options: CodexTurnOptions;
  readonly #ended = Promise.withResolvers<RuntimeTurnResult>();
  /** What was said last: the reply. */
  #text = "";

  constructor(options: CodexTurnOptions) {
    this.#options = options;
  }

  get ended(): Promise<RuntimeTurnResult> {
    return this.#ended.promise;
  }

  /** What was said last. */
  get text(): string {
    return this.#text;
  }

  set text(said: string) {
    this.#text = said;
  }

  /** The program is gone. */
  gone(error: AgentOsError, isBegun: boolean): void {
    this.#ended.resolve({ stopReason: "error", text: "", error, aborted: !isBegun });
  }

  take(method: string, params: Json): void {
    const { host } = this.#options;
    if (method === "item/agentMessage/delta") this.#delta("text", params);
    else if (method.startsWith("item/reasoning/") && method.endsWith("Delta"))
      this.#delta("thought", params);
    else if (method === "item/commandExecution/outputDelta") this.#output(params);
    else if (method === "item/completed") this.#completed(params);
    else if (method === "turn/plan/updated") this.#plan(params);
    else if (method === "error") this.#retried(params);
    else if (method === "thread/compacted") host.emit({ type: "compaction" });
  }

  /** Its last word. */
  completed({ status, error }: CodexTurn): void {
    const { signal, failure, spec } = this.#options;
    const text = this.#text;
    if (signal.aborted || status === "interrupted") {
      return this.#ended.resolve({ stopReason: "cancelled", text });
    }
    if (status !== "completed") {
      const failed = failure(error ?? { message: `the turn ended as ${status}` });
      const stopReason = failed.code === "RATE_LIMITED" ? "rate_limit" : "error";
      return this.#ended.resolve({ stopReason, text: "", error: failed });
    }
    const output = spec.outputSchema === undefined ? undefined : outputOf(text);
    this.#ended.resolve({
      stopReason: "end_turn",
      text,
      ...(output === undefined ? {} : { output }),
    });
  }

  #delta(type: "text" | "thought", params: Json): void {
    const parsed = DeltaParams.safeParse(params).data;
    if (parsed !== undefined) this.#options.host.emit({ type, delta: parsed.delta });
  }

  #output(params: Json): void {
    const parsed = DeltaParams.safeParse(params).data;
    if (parsed === undefined) return;
    const { itemId: callId, delta } = parsed;
    this.#options.host.emit({ type: "tool_output", callId, delta });
  }

  #completed(params: Json): void {
    const item = ItemParams.safeParse(params).data?.item;
    if (item === undefined) return;
    if (item.type === "agentMessage") this.#text = item.text ?? "";
    else if (item.type === "commandExecution") this.#command(item);
    else if (item.type === "fileChange") this.#files(item);
    else if (item.type === "contextCompaction") this.#options.host.emit({ type: "compaction" });
    else if (item.type === "mcpToolCall") this.#options.tools.ended(item.id, outcomeOf(item), "");
  }

  #command(item: CodexItem): void {
    this.#options.tools.ended(item.id, outcomeOf(item), item.aggregatedOutput ?? "");
  }

  #files(item: CodexItem): void {
    const outcome = outcomeOf(item);
    this.#options.tools.ended(item.id, outcome, "");
    if (outcome !== "ok") return;
    for (const { path, kind, diff } of item.changes ?? []) {
      const known = kind.type === "add" || kind.type === "delete" ? KINDS[kind.type] : "changed";
      const patch = diff === undefined ? {} : { patch: diff };
      this.#options.host.emit({ type: "file_change", path, kind: known, ...patch });
    }
  }

  #plan(params: Json): void {
    const plan = PlanParams.safeParse(params).data?.plan ?? [];
    const entries = plan.map(({ step, status }) => ({ text: step, status: PLAN_STATES[status] }));
    if (entries.length > 0) this.#options.host.emit({ type: "plan", entries });
  }

  #retried(params: Json): void {
    const parsed = ErrorParams.safeParse(params).data;
    if (parsed?.willRetry !== true) return;
    const message = `codex tries again: ${parsed.error.message}`;
    this.#options.host.emit({ type: "notice", message });
  }
}

function outcomeOf({ status, exitCode }: CodexItem): "ok" | "failed" | "denied" {
  if (status === "declined") return "denied";
  return status === "completed" && (exitCode ?? 0) === 0 ? "ok" : "failed";
}

function outputOf(text: string): Json | undefined {
  try {
    return Json.parse(JSON.parse(text));
  } catch {
    // The engine tells of an answer that is not of its schema.
    return undefined;
  }
}
