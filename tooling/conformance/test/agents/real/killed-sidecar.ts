import { type AgentOs, defineTool } from "@agentos/client";
import {
  afterTools,
  lastUserText,
  otherwise,
  stall,
  text,
  toolCall,
  when,
} from "@agentos/fake-model";
import { expect } from "vitest";
import * as z from "zod";

import type { AgentCheck } from "./agent-under-test.ts";
import { SHELL_JOB, shellJob } from "./jobs.ts";

/** kill -9 of the sidecar while a tool runs: the agent goes on, and so does its turn. */
const IN_TOOL: AgentCheck = {
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
    const { stopReason, text: said } = await turn;
    expect({ stopReason, told }).toEqual({
      stopReason: "end_turn",
      told: ["tool_call", "tool_result"],
    });
    expect(said).toContain("survived");
    expect((await session.prompt("SECOND")).text).toContain("That was all.");
  },
};

/** The same while its model answers: that answer is lost, and asked for again. Its tools of the session are there afterwards. */
const IN_ANSWER: AgentCheck = {
  id: "killed-sidecar-in-answer",
  title: "killed in a model call",
  async run({ model, open, shared }) {
    const server = await model([
      when(({ lastUserText: said, tools }) => /SLOW/.test(said ?? "") && tools.length > 0)
        .times(1)
        .reply([text("slow begins "), stall()]),
      when(afterTools("weather")).reply(({ newResults }) =>
        text(`It is ${newResults.at(-1)?.result.text}`),
      ),
      when(lastUserText(/WEATHER/)).reply(toolCall("weather", { city: "Oslo" })),
      otherwise().reply(text("and it ends")),
    ]);
    const weather = defineTool({
      name: "weather",
      description: "The weather of a city.",
      input: z.object({ city: z.string() }),
      crossesBorder: false,
      run: ({ city }) => `sunny in ${city}`,
    });
    const os = await shared();
    await using session = await open(server, { tools: [weather] }, os);
    const turn = session.prompt("SLOW");
    let isKilled = false;
    for await (const event of turn) {
      if (event.type !== "text" || isKilled) continue;
      isKilled = true;
      await kill(os);
    }
    expect((await turn).text).toContain("and it ends");
    expect((await session.prompt("WEATHER please")).text).toContain("sunny in Oslo");
  },
};

export const KILLED_SIDECAR: readonly AgentCheck[] = [IN_TOOL, IN_ANSWER];

async function kill(os: AgentOs): Promise<void> {
  const { sidecarPid } = await os.info();
  process.kill(sidecarPid, "SIGKILL");
}
