import type { AgentOs, Session } from "@agentos/client";
import { describe, expect, test } from "vitest";

import { DRIVERS_HERE } from "../drivers/each-driver.ts";
import { useWorld } from "../scenarios/world.ts";
import { processesOfSession } from "./host-processes.ts";
import { standInOptions, vmWithStandIn } from "./stand-in-vm.ts";

useWorld();

/** What the stand-in leaves, each with no parent but the VM's first process. */
const LEFT = ["sleep 4321", "sleep 4322"];
const GONE = { timeout: 10_000 };

type End = (os: AgentOs, session: Session) => Promise<void>;

const ENDS = Object.entries<End>({
  closed: (_os, session) => session.close(),
  "cancelled and closed": async (_os, session) => {
    await session.cancel();
    await session.close();
  },
  crashed: async (os) => {
    const [agent] = (await os.processes()).filter(({ command }) => command.includes("acp.mjs"));
    await os.exec(["kill", "-9", String(agent?.pid)]);
  },
  "cancelled, and its VM is gone": async (os, session) => {
    await session.cancel();
    await os.dispose();
  },
});

describe.runIf(DRIVERS_HERE.includes("linux"))("an agent that left processes behind", () => {
  test.each(ENDS)("[agent.no-orphan] is %s: nothing of it is left", async (_, end) => {
    await using os = await vmWithStandIn("acp");
    const session = await os.createSession(standInOptions("acp"));
    const turn = session.prompt("LEAVE");
    const ended = Promise.resolve(turn).catch((error: unknown) => error);
    await expect.poll(() => sleeping(os), GONE).toEqual(LEFT);
    await end(os, session);
    await ended;
    await expect.poll(() => processesOfSession(session.id), GONE).toEqual([]);
  });
});

async function sleeping(os: AgentOs): Promise<string[]> {
  const commands = (await os.processes()).map(({ command }) => command);
  return LEFT.filter((command) => commands.includes(command));
}
