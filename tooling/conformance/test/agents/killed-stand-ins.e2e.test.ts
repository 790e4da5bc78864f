import { type AgentOs, defineTool, type SessionEvent } from "@agentos/client";
import { describe, expect, test } from "vitest";
import * as z from "zod";

import { DRIVERS_HERE } from "../drivers/each-driver.ts";
import { useWorld } from "../scenarios/world.ts";
import { standInOptions, vmWithStandIn } from "./stand-in-vm.ts";

useWorld();

const WORDS = 80;
/** Of the words told by then: before its tool was asked for, and after. */
const KILLED_AT = [20, 60];
const ALL = Array.from({ length: WORDS }, (_, index) => `word-${index} `).join("");

const RUNTIMES = ["acp", "codex", "pi"] as const;

async function kill(os: AgentOs): Promise<void> {
  process.kill((await os.info()).sidecarPid, "SIGKILL");
}

describe.runIf(DRIVERS_HERE.includes("linux"))("an agent whose sidecar is killed", () => {
  test.each(RUNTIMES)(
    "[agent.adopted-each] %s goes on to its turn's end: every word once, and its tool once",
    async (runtime) => {
      await using os = await vmWithStandIn(runtime);
      await using session = await os.createSession(standInOptions(runtime));
      const turn = session.prompt("GO");
      const events: SessionEvent[] = [];
      const kills = [...KILLED_AT];
      let told = "";
      for await (const event of turn) {
        events.push(event);
        if (event.type === "text") told += event.delta;
        if (kills[0] === undefined || !told.includes(`word-${kills[0]} `)) continue;
        kills.shift();
        await kill(os);
      }
      const { stopReason, text } = await turn;
      expect({ stopReason, kills }).toEqual({ stopReason: "end_turn", kills: [] });
      expect(told.replace(/the end$/, "")).toBe(ALL);
      expect(text).toMatch(/the end$/);
      const calls = events.filter(({ type }) => type === "tool_call" || type === "tool_result");
      expect(calls).toMatchObject([
        { type: "tool_call", call: { callId: "call-1" } },
        { type: "tool_result", result: { callId: "call-1", outcome: "ok" } },
      ]);
      expect((await session.info()).agentSessionId).toBe("conversation-1");
    },
  );

  test("[agent.adopted-door] a call by the door runs once, is told as unknown, and the next turn has the tools", async () => {
    await using os = await vmWithStandIn("acp");
    let runs = 0;
    const deploy = defineTool({
      name: "deploy",
      description: "deploys",
      input: z.object({}),
      crossesBorder: false,
      async run() {
        runs += 1;
        if (runs === 1) await kill(os);
        return "deployed";
      },
    });
    await using session = await os.createSession({ ...standInOptions("acp"), tools: [deploy] });
    const turn = session.prompt("DEPLOY");
    const outcomes: string[] = [];
    for await (const event of turn)
      if (event.type === "tool_result") outcomes.push(event.result.outcome);
    expect((await turn).text).toContain("broken:");
    expect({ runs, outcomes }).toEqual({ runs: 1, outcomes: ["failed"] });
    expect((await session.prompt("DEPLOY again")).text).toBe("deployed");
  });
});
