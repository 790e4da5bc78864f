import type { RuntimeHost } from "@agentos/core";
import type { ContentPart } from "@agentos/protocol";

import type { ModelToolCall } from "./model-step.ts";
import { readResult } from "./read-content.ts";
import type { StoredToolResult } from "./stored-message.ts";
import type { ToolNames } from "./tool-names.ts";

/** Calls of one model step that are run; the model is told that the others were not. */
const MAX_CALLS = 64;

/** Characters of arguments that were no JSON, for the model to see. */
const MAX_SHOWN = 500;

/** Runs the tools of one model step side by side. The results have the calls' order, and none of them fails the others. Never rejects. */
export async function runTools(
  host: RuntimeHost,
  names: ToolNames,
  calls: readonly ModelToolCall[],
  signal: AbortSignal,
): Promise<StoredToolResult[]> {
  return await Promise.all(
    calls.map(async (call, index) => {
      if (call.malformed !== undefined) return refused(host, call, unreadable(call.malformed));
      if (index >= MAX_CALLS) return refused(host, call, `not run: ${MAX_CALLS} calls at most`);
      return await runTool(host, names, call, signal);
    }),
  );
}

async function runTool(
  host: RuntimeHost,
  names: ToolNames,
  { callId, wireName, input }: ModelToolCall,
  signal: AbortSignal,
): Promise<StoredToolResult> {
  try {
    const { outcome, content } = await host.callTool(
      { callId, ...names.target(wireName), input },
      signal,
    );
    return { callId, name: wireName, outcome, content: await readResult(host.vm, content) };
  } catch (error) {
    // It rejects when the call was cancelled, and when the budget was used up by a call beside it.
    const why = error instanceof Error ? error.message : String(error);
    return { callId, name: wireName, outcome: "cancelled", content: text(why) };
  }
}

/** A call that never reaches the tools: people see it as a notice. */
function refused(
  host: RuntimeHost,
  { callId, wireName }: ModelToolCall,
  why: string,
): StoredToolResult {
  host.emit({ type: "notice", message: `the model's call of ${wireName} was refused: ${why}` });
  return { callId, name: wireName, outcome: "failed", content: text(why) };
}

function unreadable(why: string): string {
  return `the arguments are not a JSON object: ${why.slice(0, MAX_SHOWN)}`;
}

function text(words: string): ContentPart[] {
  return [{ type: "text", text: words }];
}
