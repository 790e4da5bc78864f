import type { Json, SessionHappening, ToolCall } from "@agentos/protocol";

import { SESSION_BOUNDS } from "./session-bounds.ts";
import type { Delta } from "./session-record.ts";

/** Text too long for one event, in pieces. */
export function pieces(delta: Delta): Delta[] {
  const { length } = delta.delta;
  const step = SESSION_BOUNDS.textEventChars;
  if (length <= step) return length === 0 ? [] : [delta];
  const found: Delta[] = [];
  for (let from = 0; from < length;) {
    const to = endOfPiece(delta.delta, Math.min(length, from + step));
    found.push({ ...delta, delta: delta.delta.slice(from, to) });
    from = to;
  }
  return found;
}

/** What does not fit into one message is left out, and said so. */
export function bounded(happening: SessionHappening): SessionHappening {
  const size = sizeOf(happening);
  if (size <= SESSION_BOUNDS.eventBytes) return happening;
  if (happening.type === "tool_result") {
    const text = `(a result of ${size} bytes was left out of the transcript)`;
    const content = [{ type: "text" as const, text }];
    return { type: "tool_result", result: { ...happening.result, content, truncated: true } };
  }
  return { type: "notice", message: `a ${happening.type} event of ${size} bytes was left out` };
}

/** The call as the transcript has it. */
export function boundedCall(call: ToolCall): ToolCall {
  const size = sizeOf(call.input);
  if (size <= SESSION_BOUNDS.eventBytes) return call;
  return { ...call, input: { omitted: `${size} bytes of input` } };
}

/** A reply as a turn's result has it. */
export function boundedText(text: string): string {
  const { length } = text;
  if (length <= SESSION_BOUNDS.stepChars) return text;
  const end = endOfPiece(text, SESSION_BOUNDS.stepChars);
  return `${text.slice(0, end)}\n(cut here: all ${length} characters are in the transcript)`;
}

/** Structured output as a turn's result has it: too much of it is none. */
export function boundedOutput(output: Json): Json {
  return sizeOf(output) <= SESSION_BOUNDS.eventBytes ? output : null;
}

/** Bytes of it as JSON. */
export function sizeOf(value: Json | object): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** Never between the two halves of a character. */
function endOfPiece(text: string, end: number): number {
  const last = text.charCodeAt(end - 1);
  const isHalf = last >= 0xd800 && last <= 0xdbff;
  return isHalf && end < text.length ? end - 1 : end;
}
