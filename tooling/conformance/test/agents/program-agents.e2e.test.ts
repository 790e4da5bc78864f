import { AgentOs } from "@agentos/client";
import { FakeModelServer, lastUserText, otherwise, script, text, when } from "@agentos/fake-model";
import { describe, expect, test } from "vitest";

import { DRIVERS_HERE } from "../drivers/each-driver.ts";
import { useWorld } from "../scenarios/world.ts";
import { installStandIn } from "./install-stand-in.ts";
import { wordsInMemory } from "./vm-memory.ts";

useWorld();

const KEY = "a-key-that-no-vm-has";

/** A stand-in for Claude Code: it speaks its protocol, and asks the model with what its environment says. */
const STAND_IN = `#!/usr/bin/env node
import { createInterface } from "node:readline";
const say = (line) => process.stdout.write(JSON.stringify(line) + "\\n");
for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  if (message.type === "control_request")
    say({ type: "control_response", response: { subtype: "success", request_id: message.request_id, response: {} } });
  if (message.type !== "user") continue;
  say({ type: "system", subtype: "init", session_id: "conversation-1" });
  const answer = await fetch(process.env.ANTHROPIC_BASE_URL + "/v1/messages", {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": process.env.ANTHROPIC_API_KEY, "anthropic-version": "2023-06-01" },
    body: JSON.stringify({ model: "claude-sonnet-4-5", max_tokens: 100, messages: [message.message] }),
  });
  const { content } = await answer.json();
  say({ type: "result", subtype: "success", is_error: !answer.ok, stop_reason: "end_turn", result: content?.[0]?.text ?? "" });
}
`;

describe.runIf(DRIVERS_HERE.includes("linux"))("an agent's program in a VM", () => {
  test("[agent.in-vm] is found in the store, reaches its model without a key, and leaves nothing", async () => {
    await using server = await FakeModelServer.start({
      script: script([
        when(lastUserText(/HELLO/)).reply(text("hello from the model")),
        otherwise().reply(text("ok")),
      ]),
      keys: [KEY],
    });
    const options = {
      runtime: "claude-code",
      provider: { name: "anthropic", baseUrl: `${server.url}/v1`, apiKey: KEY },
    };
    await using os = await AgentOs.create({ driver: "linux" });
    await expect(os.createSession(options)).rejects.toMatchObject({
      code: "AGENT_NOT_INSTALLED",
      details: { install: "agentos agents install claude-code" },
    });
    // The VM is there already: what is installed later is seen all the same.
    await installStandIn(STAND_IN);
    const session = await os.createSession(options);
    expect((await session.prompt("HELLO")).text).toBe("hello from the model");
    const { usage } = await session.info();
    expect(usage.total.outputTokens).toBeGreaterThan(0);
    const running = async () =>
      (await os.processes()).filter(({ command }) => command.includes("claude.mjs"));
    const [agent] = await running();
    const environment = await os.exec(["cat", `/proc/${agent?.pid}/environ`]);
    expect(environment.stdout).toContain("ANTHROPIC_BASE_URL=http://127.0.0.1:");
    expect(environment.stdout).not.toContain(KEY);
    // Root sees their memory: what the agent has in the key's place is there, the key is not.
    const token = /ANTHROPIC_API_KEY=([^\0]+)/.exec(environment.stdout)?.[1] ?? "";
    const isRoot = process.getuid?.() === 0;
    expect(isRoot ? await wordsInMemory(os, [KEY, token]) : [token]).toEqual([token]);
    await session.close();
    expect(await running()).toEqual([]);
  });
});
