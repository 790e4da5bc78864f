import type { RuntimeHost } from "@agentos/core";
import {
  type ContentPart,
  DEFAULTS,
  type Json,
  type ToolCall,
  type ToolResult,
} from "@agentos/protocol";

import type { AcpCall } from "./acp-agent.ts";
import type { AcpCallMemo, AcpKeptFields } from "./acp-memo.ts";
import type { PermissionParams, ToolFields } from "./acp-message.ts";
import { ToldOutput } from "./told-output.ts";

/** Calls of one turn that are followed. */
const MAX_CALLS = 4_096;

/** The last of them, that another life has to know; of their inputs, the short ones. */
const KEPT_CALLS = 64;
const KEPT_INPUT_CHARS = 1_024;

/** Of a call's id and its tool's name. */
const CALL_ID_CHARS = 128;

/** Of a verdict: which kinds of answer carry it out, best first. `always` is the engine's to remember, never the agent's. */
const ALLOW = ["allow_once"];
const REJECT = ["reject_once"];

export interface AcpToolsOptions {
  readonly host: RuntimeHost;
  /** What policies are told of a call. */
  readonly describe: (call: ToolFields, first: ToolFields) => AcpCall;
  /** The session's own tools: the door asks for each call of theirs itself. */
  readonly isOwn: (call: ToolFields) => boolean;
  /** Whether that is what it calls one of them. */
  readonly hasOwn: (call: ToolCall) => boolean;
  /** A call that ran without asking is denied: the turn must end. */
  readonly onDenied: (message: string) => void;
}

interface Call {
  readonly first: ToolFields;
  fields: ToolFields;
  state: AcpCallMemo["state"];
  isJudged: boolean;
  readonly startedMs: number;
  readonly output: ToldOutput;
  /** As an earlier life has told it. */
  told?: ToolCall;
}

/** The tool calls of an agent that runs its tools itself: what it tells of them, and what it asks. */
export class AcpTools {
  readonly #options: AcpToolsOptions;
  readonly #calls = new Map<string, Call>();
  #turn: AbortSignal = AbortSignal.abort();

  constructor(options: AcpToolsOptions) {
    this.#options = options;
  }

  /** Whose calls come from now on. */
  begin(signal: AbortSignal): void {
    this.#turn = signal;
    this.#calls.clear();
  }

  /** What another life has to know. */
  get memo(): AcpCallMemo[] {
    return [...this.#calls.values()]
      .slice(-KEPT_CALLS)
      .map(({ first, fields, state, isJudged, output }) => ({
        first: kept(first),
        fields: kept(fields),
        state,
        isJudged,
        told: output.memo,
      }));
  }

  /** What an earlier life knew of the turn; `open`: what it has told of, and not the result. */
  restore(left: readonly AcpCallMemo[], open: readonly ToolCall[]): void {
    for (const { first, fields, told, ...rest } of left) {
      const output = new ToldOutput(told);
      const startedMs = performance.now();
      const call = { first: fieldsOf(first), fields: fieldsOf(fields), startedMs, output, ...rest };
      this.#calls.set(fields.toolCallId, call);
    }
    for (const call of open) {
      const known = this.#calls.get(call.callId);
      if (known !== undefined) known.told = call;
      // It came by the door, which has broken with the sidecar: nobody asks for it again.
      else if (this.#options.hasOwn(call)) void this.#lost(call);
    }
    for (const call of this.#calls.values()) if (call.isJudged) void this.#judge(call);
  }

  /** What a tool call, or an update of one, tells. */
  told(fields: ToolFields): void {
    const call = this.#merge(fields);
    if (call === undefined || call.state === "own") return;
    const { status } = call.fields;
    if (status !== "completed" && status !== "failed") return this.#output(call);
    // Not before: some tell that a call is in progress, and ask then.
    if (call.state === "seen") this.#ranUnasked(call);
    this.#ended(call);
  }

  /** The answer to a permission request. */
  async asked({ toolCall, options }: PermissionParams): Promise<Json> {
    const call = this.#merge(toolCall);
    if (call === undefined || this.#turn.aborted) return cancelled();
    if (this.#options.isOwn(call.fields)) {
      call.state = "own";
      return selected(options, ALLOW) ?? cancelled();
    }
    call.state = "asked";
    const verdict = await this.#options.host
      .authorizeTool(this.#toolCall(call), this.#turn)
      .catch(() => undefined);
    if (verdict === undefined) return cancelled();
    if (verdict.allow) {
      const answer = selected(options, ALLOW);
      if (answer !== undefined) return answer;
      this.#deny(call, "the agent offers no way to allow it once");
      return cancelled();
    }
    this.#deny(call, verdict.message ?? "it was denied");
    return selected(options, REJECT) ?? cancelled();
  }

  #merge(fields: ToolFields): Call | undefined {
    const known = this.#calls.get(fields.toolCallId);
    if (known === undefined) {
      if (this.#calls.size >= MAX_CALLS) return undefined;
      const startedMs = performance.now();
      const output = new ToldOutput();
      const call: Call = {
        first: fields,
        fields,
        state: "seen",
        isJudged: false,
        startedMs,
        output,
      };
      if (this.#options.isOwn(fields)) call.state = "own";
      this.#calls.set(fields.toolCallId, call);
      return call;
    }
    const given = Object.entries(fields).filter(([, value]) => value !== undefined);
    known.fields = { ...known.fields, ...Object.fromEntries(given) };
    return known;
  }

  /** The agent did not ask for this one: it is judged all the same. */
  #ranUnasked(call: Call): void {
    call.state = "asked";
    call.isJudged = true;
    void this.#judge(call);
  }

  /** Its result is that nobody knows. */
  async #lost(call: ToolCall): Promise<void> {
    // Rejected: cancelled with its turn.
    await this.#options.host.callTool(call, this.#turn).catch(() => undefined);
  }

  async #judge(call: Call): Promise<void> {
    const { host, onDenied } = this.#options;
    const told = this.#toolCall(call);
    // Rejected: cancelled with its turn.
    const verdict = await host.authorizeTool(told, this.#turn).catch(() => undefined);
    call.isJudged = false;
    if (verdict?.allow === false) onDenied(`${told.name}: ${verdict.message ?? "it was denied"}`);
  }

  #deny(call: Call, text: string): void {
    call.state = "denied";
    this.#tell(call, "denied", [{ type: "text", text }]);
  }

  #ended(call: Call): void {
    const { status, content } = call.fields;
    if (call.state === "ended" || call.state === "denied") return;
    call.state = "ended";
    this.#tell(call, status === "completed" ? "ok" : "failed", contentOf(call.fields));
    if (status !== "completed") return;
    for (const { type, path, oldText } of content ?? []) {
      if (type !== "diff" || path === undefined) continue;
      const kind = oldText === null || oldText === undefined ? "created" : "changed";
      this.#options.host.emit({ type: "file_change", path, kind });
    }
  }

  /** What is there on top of what was told. */
  #output(call: Call): void {
    if (call.state !== "asked") return;
    const delta = call.output.take(textOf(call.fields));
    if (delta === "") return;
    this.#options.host.emit({ type: "tool_output", callId: call.fields.toolCallId, delta });
  }

  #tell(call: Call, outcome: ToolResult["outcome"], content: ContentPart[]): void {
    const { callId, name } = this.#toolCall(call);
    const durationMs = performance.now() - call.startedMs;
    const { parts, truncated } = cut(content);
    const result = { callId, name, outcome, content: parts, truncated, durationMs };
    this.#options.host.toolEnded(result);
  }

  #toolCall({ fields, first, told }: Call): ToolCall {
    if (told !== undefined) return told;
    const { name, input } = this.#options.describe(fields, first);
    const path = fields.locations?.[0]?.path;
    return {
      callId: fields.toolCallId.slice(0, CALL_ID_CHARS),
      name: name.slice(0, CALL_ID_CHARS),
      input,
      ...(path?.startsWith("/") === true ? { path } : {}),
    };
  }
}

function kept({ toolCallId, title, kind, status, rawInput, locations }: ToolFields): AcpKeptFields {
  const isShort = JSON.stringify(rawInput ?? null).length <= KEPT_INPUT_CHARS;
  return {
    toolCallId,
    title: title?.slice(0, KEPT_INPUT_CHARS) ?? null,
    kind: kind ?? null,
    status: status ?? null,
    rawInput: isShort ? (rawInput ?? null) : null,
    path: locations?.[0]?.path ?? null,
  };
}

function fieldsOf({ path, ...fields }: AcpKeptFields): ToolFields {
  return { ...fields, ...(path === null ? {} : { locations: [{ path }] }) };
}

function selected(
  options: PermissionParams["options"],
  kinds: readonly string[],
): Json | undefined {
  const found = kinds.flatMap((kind) => options.filter((option) => option.kind === kind))[0];
  if (found === undefined) return undefined;
  return { outcome: { outcome: "selected", optionId: found.optionId } };
}

function cancelled(): Json {
  return { outcome: { outcome: "cancelled" } };
}

function textOf({ content }: ToolFields): string {
  return (content ?? []).flatMap(({ content: block }) => block?.text ?? []).join("\n");
}

function contentOf(fields: ToolFields): ContentPart[] {
  const text = textOf(fields);
  if (text !== "") return [{ type: "text", text }];
  const { rawOutput } = fields;
  if (rawOutput === null || rawOutput === undefined) return [];
  return [
    { type: "text", text: typeof rawOutput === "string" ? rawOutput : JSON.stringify(rawOutput) },
  ];
}

function cut(content: ContentPart[]): { parts: ContentPart[]; truncated: boolean } {
  let truncated = false;
  const parts = content.map((part) => {
    if (part.type !== "text" || part.text.length <= DEFAULTS.toolResultBytes) return part;
    truncated = true;
    return { ...part, text: part.text.slice(0, DEFAULTS.toolResultBytes) };
  });
  return { parts, truncated };
}
