import type { AgentOs } from "@agentos/client";
import { expect } from "vitest";

import type { AgentCheck } from "./agent-under-test.ts";
import { SHELL_JOB, shellJob } from "./jobs.ts";

/** kill -9 of the sidecar in the middle of a turn: the agent goes on, and so does its turn. */
export const KILLED_SIDECAR: AgentCheck = {
  id: "killed-sidecar",
  title: "sidecar killed",
  async run({ agent, model, open, shared }) {
    const server = await model(shellJob(agent, "sleep 2; echo survived"));
    const os = await shared();
    await using session = await open(server, {}, os);
    const told: string[] = [];
    const turn = session.prompt(SHELL_JOB);
    for await (const event of turn) {
      if (event.type === "tool_call") await kill(os);
      if (event.type === "tool_call" || event.type === "tool_result") told.push(event.type);
    }
    const { stopReason, text } = await turn;
    if (agent.goesOn === false) {
      expect(stopReason).toBe("interrupted");
    } else {
      expect({ stopReason, told }).toEqual({
        stopReason: "end_turn",
        told: ["tool_call", "tool_result"],
      });
      expect(text).toContain("survived");
    }
    expect((await session.prompt("SECOND")).text).toContain("That was all.");
    return agent.goesOn === false ? "interrupted, the next turn works" : undefined;
  },
};

async function kill(os: AgentOs): Promise<void> {
  const { sidecarPid } = await os.info();
  process.kill(sidecarPid, "SIGKILL");
}
