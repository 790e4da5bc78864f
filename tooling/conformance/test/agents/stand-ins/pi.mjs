#!/usr/bin/env node
// Speaks as Pi's rpc mode: tells a word every 10 ms, asks for its tool in the middle, and waits for the answer at the end.
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const WORDS = 80;
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const verdict = Promise.withResolvers();

async function words() {
  for (let index = 0; index < WORDS; index += 1) {
    const delta = `word-${index} `;
    say({ type: "message_update", assistantMessageEvent: { type: "text_delta", delta } });
    if (index === WORDS / 2) {
      const question = { ask: "authorize", callId: "call-1", name: "bash", input: {} };
      const placeholder = JSON.stringify(question);
      say({
        type: "extension_ui_request",
        id: "d1",
        method: "input",
        title: "agentos",
        placeholder,
      });
    }
    await sleep(10);
  }
  await verdict.promise;
  const result = { content: [] };
  const call = { toolCallId: "call-1", toolName: "bash" };
  say({ type: "tool_execution_end", ...call, result, isError: false });
  const content = [{ type: "text", text: "the end" }];
  say({ type: "message_end", message: { role: "assistant", stopReason: "stop", content } });
  say({ type: "agent_settled" });
}

if (process.argv[2] === "--version") {
  process.stdout.write("0.87.1\n");
} else {
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, type } = JSON.parse(line);
    if (type === "extension_ui_response") verdict.resolve();
    else say({ type: "response", id, success: true, data: { sessionId: "conversation-1" } });
    if (type === "prompt") void words();
  }
}
