import { expect } from "vitest";

import type { AgentCheck } from "./agent-under-test.ts";
import { REST } from "./jobs.ts";

/** The agent's own modes are listed, set, and refused where it has none. */
export const MODES: AgentCheck = {
  id: "modes",
  title: "modes",
  async run({ agent, model, open }) {
    const server = await model([REST]);
    await using session = await open(server);
    await session.prompt("FIRST");
    const { modes } = await session.info();
    if (agent.hasModes === false) {
      expect(modes).toEqual([]);
      const error = await session.setMode("plan").catch((failure: unknown) => failure);
      expect(error).toMatchObject({ code: "UNSUPPORTED" });
      return "it has none";
    }
    expect(modes.map(({ id }) => id)).toContain("plan");
    await session.setMode("plan");
    expect((await session.info()).mode).toBe("plan");
    await expect(session.setMode("none-such")).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect((await session.prompt("SECOND")).stopReason).toBe("end_turn");
    return undefined;
  },
};
