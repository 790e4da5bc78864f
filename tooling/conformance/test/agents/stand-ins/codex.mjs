#!/usr/bin/env node
// Speaks as Codex's app server: tells a word every 10 ms, asks its hook before its tool in the middle, and waits for the answer at the end.
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const WORDS = 80;
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const tell = (method, params) => say({ method, params });

async function askHook() {
  const input = { tool_name: "Bash", tool_input: { command: "true" }, tool_use_id: "call-1" };
  for (;;) {
    const socket = connect(Number(process.env.AGENTOS_HOOK_PORT), "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(`${JSON.stringify(input)}\n`);
    const isAnswered = await new Promise((resolve) => {
      socket.once("data", () => resolve(true)).once("close", () => resolve(false));
    });
    socket.destroy();
    if (isAnswered) return;
    // Its sidecar was killed: it may come again.
    await sleep(50);
  }
}

async function words() {
  tell("turn/started", { turn: { id: "t1", status: "inProgress" } });
  let verdict;
  for (let index = 0; index < WORDS; index += 1) {
    tell("item/agentMessage/delta", { itemId: "m1", delta: `word-${index} ` });
    if (index === WORDS / 2) verdict = askHook();
    await sleep(10);
  }
  await verdict;
  const command = { type: "commandExecution", id: "call-1", status: "completed", exitCode: 0 };
  tell("item/completed", { item: command });
  tell("item/completed", { item: { type: "agentMessage", id: "m1", text: "the end" } });
  tell("turn/completed", { turn: { id: "t1", status: "completed" } });
}

const hook = {
  key: "k",
  command: "AGENTOS_HOOK_PORT",
  currentHash: "h",
  trustStatus: "trusted",
};
const RESULTS = {
  "hooks/list": { data: [{ hooks: [hook] }] },
  "thread/start": { thread: { id: "conversation-1" } },
  "turn/start": { turn: { id: "t1" } },
};

if (process.argv[2] === "--version") {
  process.stdout.write("codex-cli 0.169.0\n");
} else {
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, method } = JSON.parse(line);
    if (id !== undefined) say({ id, result: RESULTS[method] ?? {} });
    if (method === "turn/start") void words();
  }
}
