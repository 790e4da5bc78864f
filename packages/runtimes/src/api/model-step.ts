import type {
  LanguageModelV4FinishReason,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from "@ai-sdk/provider";
import { Json, JsonObject } from "@agentos/protocol";

import type { KeyRedactor, RedactedStream } from "./key-redactor.ts";
import type { AssistantPart } from "./stored-message.ts";
import { providerName } from "./tool-names.ts";

/** A tool that the model asked for. */
export interface ModelToolCall {
  readonly callId: string;
  readonly wireName: string;
  readonly input: JsonObject;
  /** Its arguments are no JSON object, and this is what is wrong with them. */
  readonly malformed: string | undefined;
}

/** What one model call gave. */
export interface ModelStep {
  readonly parts: readonly AssistantPart[];
  readonly calls: readonly ModelToolCall[];
  readonly text: string;
  readonly finish: LanguageModelV4FinishReason["unified"];
  readonly usage: LanguageModelV4Usage;
}

/** What of a model call is told while it comes. */
export interface StepListener {
  told(kind: "text" | "thought", delta: string): void;
  warned(message: string): void;
}

interface OpenPart {
  readonly kind: "text" | "thinking";
  readonly redacted: RedactedStream;
  text: string;
  meta: JsonObject | undefined;
}

type Part<T extends LanguageModelV4StreamPart["type"]> = Extract<
  LanguageModelV4StreamPart,
  { type: T }
>;

/** Puts a model's answer together from its stream, in the order that its parts began in. */
export class StepBuilder {
  readonly #listener: StepListener;
  readonly #redactor: KeyRedactor;
  readonly #newId: (given: string) => string;
  readonly #open = new Map<string, OpenPart>();
  readonly #parts: (OpenPart | AssistantPart)[] = [];
  readonly #calls: ModelToolCall[] = [];
  #finish: Part<"finish"> | undefined;

  constructor(listener: StepListener, redactor: KeyRedactor, newId: (given: string) => string) {
    this.#listener = listener;
    this.#redactor = redactor;
    this.#newId = newId;
  }

  /** What the model has said so far. */
  get text(): string {
    return this.#parts.map((part) => (isText(part) ? part.text : "")).join("");
  }

  /** Throws what the provider sent as an error. */
  take(part: LanguageModelV4StreamPart): void {
    const { type } = part;
    if (type === "error") throw part.error;
    if (type === "text-start") this.#begin("text", part);
    else if (type === "reasoning-start") this.#begin("thinking", part);
    else if (type === "text-delta" || type === "reasoning-delta") this.#delta(part);
    else if (type === "text-end" || type === "reasoning-end") this.#end(part);
    else if (type === "tool-call") this.#call(part);
    else if (type === "finish") this.#finish = part;
    else if (type === "stream-start") {
      for (const warning of part.warnings) this.#listener.warned(JSON.stringify(warning));
    }
    // The pieces of a tool's input come again whole; the rest is of no use to an agent.
  }

  /** Undefined: the stream ended before the model did. */
  finished(): ModelStep | undefined {
    if (this.#finish === undefined || this.#finish.finishReason.unified === "interrupted") {
      return undefined;
    }
    return {
      parts: this.#parts.flatMap((part) => ("kind" in part ? closedPart(part) : [part])),
      calls: this.#calls,
      text: this.text,
      finish: this.#finish.finishReason.unified,
      usage: this.#finish.usage,
    };
  }

  #begin(kind: OpenPart["kind"], part: Part<"text-start" | "reasoning-start">): void {
    const open = { kind, redacted: this.#redactor.stream(), text: "", meta: undefined };
    this.#open.set(`${kind}-${part.id}`, open);
    this.#parts.push(open);
    mergeMeta(open, part.providerMetadata);
  }

  #delta(part: Part<"text-delta" | "reasoning-delta">): void {
    const open = this.#find(part);
    mergeMeta(open, part.providerMetadata);
    this.#tell(open, open.redacted.push(part.delta));
  }

  #end(part: Part<"text-end" | "reasoning-end">): void {
    const open = this.#find(part);
    mergeMeta(open, part.providerMetadata);
    this.#tell(open, open.redacted.end());
  }

  /** A provider that forgets the beginning is taken at its word all the same. */
  #find({
    type,
    id,
  }: Part<"text-delta" | "reasoning-delta" | "text-end" | "reasoning-end">): OpenPart {
    const kind = type.startsWith("text") ? "text" : "thinking";
    const known = this.#open.get(`${kind}-${id}`);
    if (known !== undefined) return known;
    this.#begin(kind, { type: kind === "text" ? "text-start" : "reasoning-start", id });
    return this.#find({ type, id, delta: "" });
  }

  #tell(open: OpenPart, delta: string): void {
    if (delta === "") return;
    open.text += delta;
    this.#listener.told(open.kind === "text" ? "text" : "thought", delta);
  }

  #call(part: Part<"tool-call">): void {
    const callId = this.#newId(part.toolCallId);
    const wireName = providerName(part.toolName);
    const { input, malformed } = readArguments(this.#redactor.text(part.input));
    const meta = asMeta(part.providerMetadata);
    this.#calls.push({ callId, wireName, input, malformed });
    this.#parts.push({
      type: "tool_call",
      callId,
      name: wireName,
      input,
      ...(meta === undefined ? {} : { meta }),
    });
  }
}

function isText(part: OpenPart | AssistantPart): part is OpenPart & { kind: "text" } {
  return "kind" in part && part.kind === "text";
}

/** Nothing, where nothing was said and nothing signed. */
function closedPart({ kind, text, meta }: OpenPart): AssistantPart[] {
  if (text === "" && (kind === "text" || meta === undefined)) return [];
  return [{ type: kind, text, ...(meta === undefined ? {} : { meta }) }];
}

function mergeMeta(open: OpenPart, metadata: unknown): void {
  const meta = asMeta(metadata);
  if (meta === undefined) return;
  const merged: JsonObject = { ...open.meta };
  for (const [name, value] of Object.entries(meta)) {
    const before = JsonObject.safeParse(merged[name]);
    const after = JsonObject.safeParse(value);
    merged[name] = before.success && after.success ? { ...before.data, ...after.data } : value;
  }
  open.meta = merged;
}

function asMeta(metadata: unknown): JsonObject | undefined {
  if (metadata === undefined) return undefined;
  const { success, data } = JsonObject.safeParse(JSON.parse(JSON.stringify(metadata)));
  return success && Object.keys(data).length > 0 ? data : undefined;
}

/** No arguments at all are none to be given. */
function readArguments(text: string): Pick<ModelToolCall, "input" | "malformed"> {
  if (text.trim() === "") return { input: {}, malformed: undefined };
  try {
    const value = Json.parse(JSON.parse(text));
    const { success, data } = JsonObject.safeParse(value);
    if (success) return { input: data, malformed: undefined };
    return { input: {}, malformed: "expected a JSON object" };
  } catch (error) {
    return { input: {}, malformed: error instanceof Error ? error.message : String(error) };
  }
}
