import type { AnsweredCall, Conversation, Message, ToolCall, ToolResult } from "./model-request.ts";

const REMINDER = /<system-reminder>[\s\S]*?<\/system-reminder>/g;

/** A message with what is given, and nothing else in it. */
export function message(role: Message["role"], parts: Partial<Omit<Message, "role">>): Message {
  return { role, texts: [], calls: [], results: [], attachments: 0, ...parts };
}

/** Joins calls to results, and finds where in the conversation we are. */
export function readConversation(messages: readonly Message[], system: string): Conversation {
  const results = new Map<string, ToolResult>();
  for (const result of messages.flatMap((each) => each.results)) results.set(result.callId, result);
  const joined = messages.map((each) => joinResults(each, results));
  const asked = joined.findLastIndex(isAsk);
  const since = joined.slice(asked + 1);
  const spoken = since.findLastIndex(({ role }) => role === "assistant");
  const latest = new Set(since.slice(spoken + 1).flatMap((each) => each.results.map(callIdOf)));
  const calls = since.flatMap((each) => each.calls);
  const systemTexts = joined.filter(({ role }) => role === "system").flatMap(({ texts }) => texts);
  return {
    system: [system, ...systemTexts].filter((part) => part !== "").join("\n\n"),
    messages: joined,
    lastUserText: saidIn(joined[asked]),
    turn: Math.max(0, joined.filter(isAsk).length - 1),
    step: since.filter(({ role }) => role === "assistant").length,
    calls,
    newResults: calls.filter((call): call is AnsweredCall => isAnswered(call, latest)),
  };
}

function joinResults(each: Message, results: ReadonlyMap<string, ToolResult>): Message {
  return { ...each, calls: each.calls.map((call) => ({ ...call, result: results.get(call.id) })) };
}

function callIdOf({ callId }: ToolResult): string {
  return callId;
}

function isAnswered(call: ToolCall, latest: ReadonlySet<string>): boolean {
  return call.result !== undefined && latest.has(call.id);
}

function isAsk(each: Message): boolean {
  return each.role === "user" && (saidIn(each) !== "" || each.attachments > 0);
}

/** The last of a user's texts: agents put their own before it. */
function saidIn(each: Message | undefined): string {
  const said = (each?.texts ?? []).map(withoutReminders);
  return said.findLast((part) => part.trim() !== "") ?? "";
}

function withoutReminders(part: string): string {
  const left = part.replace(REMINDER, "");
  return left === part ? part : left.trim();
}
