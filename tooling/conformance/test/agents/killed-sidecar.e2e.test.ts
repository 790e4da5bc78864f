import { AgentOs, defineTool, type SessionEvent } from "@agentos/client";
import { FakeModelServer, otherwise, script, text } from "@agentos/fake-model";
import { describe, expect, test } from "vitest";
import * as z from "zod";

import { DRIVERS_HERE } from "../drivers/each-driver.ts";
import { useWorld } from "../scenarios/world.ts";
import { installStandIn } from "./install-stand-in.ts";

useWorld();

const KEY = "a-key-that-no-vm-has";
const WORDS = 150;
/** Of the words told by then. */
const KILLED_AT = [20, 70, 100];
const ALL = Array.from({ length: WORDS }, (_, index) => `word-${index} `).join("");

/** A stand-in for Claude Code that tells a word every 10 ms, asks before a tool in the middle, and its model at the end. */
const STAND_IN = `#!/usr/bin/env node
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
const say = (line) => process.stdout.write(JSON.stringify(line) + "\\n");
const ask = async () => {
  const answer = await fetch(process.env.ANTHROPIC_BASE_URL + "/v1/messages", {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": process.env.ANTHROPIC_API_KEY, "anthropic-version": "2023-06-01" },
    body: JSON.stringify({ model: "claude-sonnet-4-5", max_tokens: 100, messages: [{ role: "user", content: "go on" }] }),
  });
  return (await answer.json()).content[0].text;
};
const patiently = async (work) => {
  for (;;) {
    try {
      return await work();
    } catch {
      // Its gateway was killed: it may come again.
      await sleep(50);
    }
  }
};
let verdict;
function useTool() {
  const params = { name: "deploy", arguments: {}, _meta: { "claudecode/toolUseId": "call-2" } };
  const message = { jsonrpc: "2.0", id: 1, method: "tools/call", params };
  say({ type: "system", subtype: "init", session_id: "conversation-1" });
  say({ type: "control_request", request_id: "r2", request: { subtype: "mcp_message", server_name: "host", message } });
}
async function turn() {
  say({ type: "system", subtype: "init", session_id: "conversation-1" });
  for (let index = 0; index < ${WORDS}; index += 1) {
    const event = { type: "content_block_delta", delta: { type: "text_delta", text: "word-" + index + " " } };
    say({ type: "stream_event", event });
    if (index === 60) {
      const input = { tool_name: "Bash", tool_use_id: "call-1", tool_input: { command: "true" } };
      say({ type: "control_request", request_id: "r1", request: { subtype: "hook_callback", callback_id: "before-tool", input } });
    }
    await sleep(10);
  }
  while (verdict === undefined) await sleep(10);
  say({ type: "user", message: { role: "user", content: [{ type: "tool_result", tool_use_id: "call-1", content: verdict }] } });
  say({ type: "result", subtype: "success", is_error: false, stop_reason: "end_turn", result: await patiently(ask) });
}
for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  if (message.type === "control_request")
    say({ type: "control_response", response: { subtype: "success", request_id: message.request_id, response: {} } });
  const result = message.response?.response?.mcp_response?.result;
  if (result !== undefined)
    say({ type: "result", subtype: "success", is_error: false, stop_reason: "end_turn", result: JSON.stringify(result) });
  else if (message.type === "control_response")
    verdict = message.response.response.hookSpecificOutput.permissionDecision;
  if (message.type === "user" && JSON.stringify(message).includes("DEPLOY")) useTool();
  else if (message.type === "user") void turn();
}
`;

describe.runIf(DRIVERS_HERE.includes("linux"))("an agent whose sidecar is killed", () => {
  test("[agent.adopted] goes on to its turn's end: every word once, its tool once, and its model there again", async () => {
    await using server = await FakeModelServer.start({
      script: script([otherwise().reply(text("the end"))]),
      keys: [KEY],
    });
    await installStandIn(STAND_IN);
    await using os = await AgentOs.create({ driver: "linux" });
    await using session = await os.createSession({
      runtime: "claude-code",
      provider: { name: "anthropic", baseUrl: `${server.url}/v1`, apiKey: KEY },
    });
    const turn = session.prompt("GO");
    const events: SessionEvent[] = [];
    const kills = [...KILLED_AT];
    let told = "";
    for await (const event of turn) {
      events.push(event);
      if (event.type === "text") told += event.delta;
      const at = kills[0];
      if (at === undefined || !told.includes(`word-${at} `)) continue;
      kills.shift();
      process.kill((await os.info()).sidecarPid, "SIGKILL");
    }
    expect(kills).toEqual([]);
    expect(told).toBe(ALL);
    const seqs = events.map(({ seq }) => seq);
    expect(seqs).toEqual([...new Set(seqs)].toSorted((a, b) => a - b));
    const calls = events.filter(({ type }) => type === "tool_call" || type === "tool_result");
    expect(calls).toMatchObject([
      { type: "tool_call", call: { callId: "call-1" } },
      { type: "tool_result", result: { outcome: "ok" } },
    ]);
    await expect(turn).resolves.toMatchObject({ stopReason: "end_turn", text: "the end" });
    const { epoch } = await os.info();
    expect(epoch).toBe(1 + KILLED_AT.length);
  });

  test("[agent.adopted-calls] a tool of the session that runs meanwhile runs once, and the agent is told that nobody knows", async () => {
    await using os = await AgentOs.create({ driver: "linux" });
    let runs = 0;
    const deploy = defineTool({
      name: "deploy",
      description: "deploys",
      input: z.object({}),
      crossesBorder: false,
      async run() {
        runs += 1;
        process.kill((await os.info()).sidecarPid, "SIGKILL");
        return "deployed";
      },
    });
    await using session = await os.createSession({
      runtime: "claude-code",
      provider: { name: "anthropic", baseUrl: "http://127.0.0.1:9/v1", apiKey: KEY },
      tools: [deploy],
    });
    const { stopReason, text: said } = await session.prompt("DEPLOY");
    expect({ stopReason, runs }).toEqual({ stopReason: "end_turn", runs: 1 });
    expect(said).toContain("whether it had its effect is not known");
  });
});
