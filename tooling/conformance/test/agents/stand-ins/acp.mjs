#!/usr/bin/env node
// Speaks ACP: tells a word every 10 ms, asks for its tool in the middle, and waits for the answer at the end.
import { execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const WORDS = 80;
const sessionId = "conversation-1";
const say = (message) =>
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const update = (told) => say({ method: "session/update", params: { sessionId, update: told } });
const tell = (text) =>
  update({ sessionUpdate: "agent_message_chunk", content: { type: "text", text } });
const verdict = Promise.withResolvers();
const cancelled = Promise.withResolvers();

async function words() {
  const toolCall = { toolCallId: "call-1", title: "look", kind: "execute", status: "pending" };
  for (let index = 0; index < WORDS; index += 1) {
    tell(`word-${index} `);
    if (index === WORDS / 2) {
      update({ sessionUpdate: "tool_call", ...toolCall });
      const options = [{ optionId: "yes", kind: "allow_once", name: "Yes" }];
      const params = { sessionId, toolCall, options };
      say({ id: 7, method: "session/request_permission", params });
    }
    await sleep(10);
  }
  await verdict.promise;
  update({ sessionUpdate: "tool_call_update", toolCallId: "call-1", status: "completed" });
  tell("the end");
}

/** By the door, as a shell of the VM has it. */
function useTool() {
  try {
    tell(execFileSync("agentos-tool", ["deploy"], { encoding: "utf8" }));
  } catch (error) {
    tell(`broken: ${error.stderr}`);
  }
}

/** What leaves its session, and its parent with it; then it waits. */
async function leave() {
  const options = { detached: true, stdio: "ignore" };
  spawn("sh", ["-c", "sleep 4321 & setsid sleep 4322 &"], options).unref();
  tell("left");
  await cancelled.promise;
}

async function answer({ method, params }) {
  if (method === "initialize")
    return { protocolVersion: 1, agentCapabilities: { loadSession: true } };
  if (method === "session/new") return { sessionId };
  if (method !== "session/prompt") return {};
  const said = params.prompt.map(({ text }) => text).join(" ");
  if (said.includes("DEPLOY")) useTool();
  else if (said.includes("LEAVE")) await leave();
  else await words();
  return { stopReason: "end_turn" };
}

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  if (message.method === undefined) verdict.resolve();
  else if (message.method === "session/cancel") cancelled.resolve();
  else if (message.id !== undefined)
    void answer(message).then((result) => say({ id: message.id, result }));
}
