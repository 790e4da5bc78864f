import { afterTools, lastUserText, text, toolCall, when } from "@agentos/fake-model";
import { expect } from "vitest";

import type { AgentCheck } from "./agent-under-test.ts";
import { REST } from "./jobs.ts";

/** The agent asks its user, whose answer reaches its model. */
export const QUESTIONS: AgentCheck = {
  id: "questions",
  title: "question",
  async run({ agent, model, open }) {
    const { asks } = agent;
    if (asks === undefined) return "it asks nobody by its protocol";
    const server = await model([
      when(afterTools(asks.offered)).reply(({ newResults }) =>
        text(`Told: ${newResults.at(-1)?.result.text}`),
      ),
      when(lastUserText(/ASK/)).reply(toolCall(asks.offered, asks.input)),
      REST,
    ]);
    const asked: string[] = [];
    await using session = await open(server, {
      onRequest: (request) => {
        if (request.kind !== "question") return undefined;
        const [question] = request.questions;
        asked.push(question?.question ?? "", ...(question?.options.map(({ id }) => id) ?? []));
        return { kind: "question", responses: [{ selectedOptionIds: ["Blue"] }] };
      },
    });
    expect((await session.prompt("ASK")).text).toMatch(/Told: .*Blue/s);
    expect(asked.slice(0, 3)).toEqual(["Which colour?", "Red", "Blue"]);
    return undefined;
  },
};
