import type { Gate } from "./gate.ts";
import type { ErrorKind } from "./http-fault.ts";

/** One thing that a reply does; its parts are played in order. */
export type ReplyPart =
  | { readonly type: "text" | "thinking" | "refusal"; readonly pieces: Iterable<string> }
  | ToolCallPart
  | { readonly type: "pause"; readonly gate: Gate }
  | { readonly type: "malformed"; readonly data: string }
  | { readonly type: "error"; readonly kind: ErrorKind; readonly message: string }
  | { readonly type: "drop" | "stall" | "end" | "truncate" };

/** A call of a tool, its arguments as pieces of JSON. */
export interface ToolCallPart {
  readonly type: "tool";
  readonly name: string;
  readonly id: string | undefined;
  readonly pieces: Iterable<string>;
}

const PIECE = 24;

/** What the model says: an array's or generator's items are its deltas, a string is cut up. */
export function text(content: string | Iterable<string>): ReplyPart {
  return { type: "text", pieces: piecesOf(content) };
}

/** What the model thinks before it answers. */
export function thinking(content: string | Iterable<string>): ReplyPart {
  return { type: "thinking", pieces: piecesOf(content) };
}

/** The model declines to answer, and says so. */
export function refusal(content: string | Iterable<string>): ReplyPart {
  return { type: "refusal", pieces: piecesOf(content) };
}

/**
 * The model calls a tool. `name` is the tool's, or the end of one that the request offers
 * (`run_command` finds `mcp__host__run_command`). For a tool with free-form input `input` is text.
 */
export function toolCall(
  name: string,
  input: unknown,
  options: { id?: string } = {},
): ToolCallPart {
  const json = typeof input === "string" ? input : JSON.stringify(input);
  return rawToolCall(name, json, options);
}

/** A call whose arguments are written as given, valid or not. */
export function rawToolCall(
  name: string,
  argumentsText: string | Iterable<string>,
  options: { id?: string } = {},
): ToolCallPart {
  return { type: "tool", name, id: options.id, pieces: piecesOf(argumentsText) };
}

/** Waits until a test opens the gate, or lets one pass. */
export function pause(gate: Gate): ReplyPart {
  return { type: "pause", gate };
}

/** Cuts the connection, after all before it was sent. */
export function drop(): ReplyPart {
  return { type: "drop" };
}

/** Sends nothing more, until the client closes. */
export function stall(): ReplyPart {
  return { type: "stall" };
}

/** Ends the body properly, but without the events that end an answer. */
export function endEarly(): ReplyPart {
  return { type: "end" };
}

/** Sends half of the next event, then ends the body properly. */
export function truncate(): ReplyPart {
  return { type: "truncate" };
}

/** One event, or the whole body, that is not JSON. */
export function malformed(data = '{"type": "content_block_del'): ReplyPart {
  return { type: "malformed", data };
}

/** The provider's own error event in the middle of a stream; without one, an HTTP error. */
export function streamError(kind: ErrorKind, message = "scripted error"): ReplyPart {
  return { type: "error", kind, message };
}

function piecesOf(content: string | Iterable<string>): Iterable<string> {
  return typeof content === "string" ? cutUp(content) : content;
}

/** Never inside a surrogate pair, which JSON could not carry. */
function cutUp(content: string): string[] {
  const characters = Array.from(content);
  const pieces: string[] = [];
  for (let at = 0; at < characters.length; at += PIECE) {
    pieces.push(characters.slice(at, at + PIECE).join(""));
  }
  return pieces;
}
