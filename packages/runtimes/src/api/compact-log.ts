import type { ContentPart } from "@agentos/protocol";

import { type ApiParts, countStep } from "./api-parts.ts";
import { callModel } from "./call-model.ts";
import { promptMessages } from "./prompt-messages.ts";
import type { StoredMessage } from "./stored-message.ts";

const SUMMARISE = `Summarise this conversation for yourself: it goes on from your summary alone. Keep the task and what was agreed, what was found and done, with exact names, paths and values, and what remains to be done. Answer with the summary only.`;

/**
 * Puts a summary in the place of the conversation, once the threshold is reached; what the turn was asked
 * stays word for word. Rejects as a model call does, and the conversation is as it was.
 */
export async function compactLog(
  parts: ApiParts,
  turnId: string,
  signal: AbortSignal,
): Promise<void> {
  const { spec, log, host } = parts;
  const threshold = spec.compaction?.tokenThreshold;
  const tokens = log.contextTokens;
  if (threshold === undefined || tokens === null || tokens < threshold) return;
  const prompt = log.messages.findLast((each) => each.role === "user" && each.turnId === turnId);
  const isTurnStart = prompt !== undefined && log.messages.at(-1) === prompt;
  const head = isTurnStart ? log.messages.slice(0, -1) : log.messages;
  const summary = await summaryOf(parts, head, signal);
  if (summary === "") {
    host.emit({ type: "notice", message: "the model gave no summary: nothing was compacted" });
    return;
  }
  log.replace([summaryMessage(summary), ...(prompt === undefined ? [] : [prompt])]);
  host.emit({ type: "compaction", summary });
}

async function summaryOf(
  parts: ApiParts,
  messages: readonly StoredMessage[],
  signal: AbortSignal,
): Promise<string> {
  const content: ContentPart[] = [{ type: "text", text: SUMMARISE }];
  const ask: StoredMessage = { role: "user", turnId: null, from: "summary", content };
  const step = await callModel(parts, {
    prompt: promptMessages(parts.access.provider, parts.system, [...messages, ask]),
    told: () => undefined,
    newId: (given) => given,
    isPlain: true,
    signal,
  });
  countStep(parts, { usage: step.usage, calls: [] }, true);
  return step.text.trim();
}

function summaryMessage(summary: string): StoredMessage {
  const text = `What happened so far, in short:\n\n${summary}`;
  return { role: "user", turnId: null, from: "summary", content: [{ type: "text", text }] };
}
