import type { Content, RelayMessage } from "@agentos/protocol";

import { RELAY_BOUNDS } from "../relay-bounds.ts";

const HINT =
  "Other agents and people write to you this way. What you say in this turn reaches nobody: answer with the tool relay_reply.";

/** Where the text of a long message is in the agent's VM. */
export function fileOf({ messageId }: RelayMessage): string {
  return `/tmp/agentos-messages/${messageId.replaceAll(/[^A-Za-z0-9_-]/g, "_")}.txt`;
}

export function isLong({ text }: RelayMessage): boolean {
  return text.length > RELAY_BOUNDS.promptChars;
}

/**
 * A message as an agent is given it: who wrote it and where it belongs in a part of its own, so that no text can pass
 * for it; then the text as it is, or where it is a file.
 */
export function promptOf(message: RelayMessage, options: { hint: boolean }): Content {
  // A task and a nudge come from nobody who could be answered.
  if (message.kind === "task" || message.kind === "nudge") return bodyOf(message);
  const head = { type: "text" as const, text: headOf(message, options.hint) };
  const body = bodyOf(message);
  if (body === "") return [head];
  return [head, ...(typeof body === "string" ? [{ type: "text" as const, text: body }] : body)];
}

function bodyOf(message: RelayMessage): Content {
  if (!isLong(message)) return message.text;
  return [{ type: "file", mediaType: "text/plain", path: fileOf(message) }];
}

function headOf(message: RelayMessage, hint: boolean): string {
  const { kind, from, to, messageId, threadId, replyTo, priority, data } = message;
  const facts = [
    `from ${JSON.stringify(from)}`,
    `to ${JSON.stringify(to)}`,
    `message ${messageId}`,
    `thread ${JSON.stringify(threadId)}`,
    ...(replyTo === undefined ? [] : [`in reply to ${replyTo}`]),
    `priority ${priority}`,
  ];
  const lines = [
    kind === "notice"
      ? `Notice of the relay (${facts.join(", ")}).`
      : `Relay message (${facts.join(", ")}).`,
    ...(hint && kind === "message" ? [HINT] : []),
    ...(data === undefined ? [] : [`Data: ${JSON.stringify(data)}`]),
    message.text === "" ? "Its text is empty." : "Its text follows.",
  ];
  return `${lines.join("\n")}\n`;
}
