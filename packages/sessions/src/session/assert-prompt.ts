import type { Content } from "@agentos/protocol";

import { SESSION_BOUNDS } from "./session-bounds.ts";
import { invalidArgument } from "./session-errors.ts";

/** Throws `INVALID_ARGUMENT` for a prompt that says nothing, or more than fits into one event. */
export function assertPrompt(content: Content, argument = "content"): void {
  if (saysNothing(content))
    throw invalidArgument(argument, "a prompt that says something", "nothing but white space");
  const bytes = Buffer.byteLength(JSON.stringify(content));
  const expected = `at most ${SESSION_BOUNDS.promptBytes} bytes; larger parts as a path in the VM`;
  if (bytes > SESSION_BOUNDS.promptBytes) throw invalidArgument(argument, expected, `${bytes}`);
}

function saysNothing(content: Content): boolean {
  if (typeof content === "string") return content.trim() === "";
  return content.every((part) => part.type === "text" && part.text.trim() === "");
}
