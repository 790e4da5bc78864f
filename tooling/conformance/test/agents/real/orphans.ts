import type { AgentOs, Session } from "@agentos/client";
import { expect } from "vitest";

import { processesOfSession } from "../host-processes.ts";
import type { AgentCheck, CheckContext } from "./agent-under-test.ts";
import { SHELL_JOB, shellJob } from "./jobs.ts";

/** One leaves its session and its parent, one is waited for. */
const LEAVING = "(setsid sleep 1234 >/dev/null 2>&1 &) ; sleep 1235";
const LEFT_BEHIND = "(setsid sleep 1234 >/dev/null 2>&1 &) ; echo left";
const LEFT = ["1234", "1235"];

/** Of an agent that ran a command, nothing is left after each kind of end. */
export const NO_ORPHANS: readonly AgentCheck[] = [
  {
    id: "orphans-close",
    title: "no orphan: closed",
    async run(context) {
      const { os } = context;
      const { session, ended } = await begun(context, os);
      await session.close();
      await ended;
      expect(await left(context, os, session)).toEqual([]);
    },
  },
  {
    id: "orphans-cancel",
    title: "no orphan: cancelled",
    async run(context) {
      const { os } = context;
      const { session, ended } = await begun(context, os);
      await session.cancel();
      await ended;
      // What was waited for ends with its turn, the rest with the session.
      await expect.poll(() => sleeping(os), { timeout: 20_000 }).not.toContain("1235");
      await session.close();
      expect(await left(context, os, session)).toEqual([]);
    },
  },
  {
    id: "orphans-crash",
    title: "no orphan: crashed",
    async run(context) {
      const { os } = context;
      const { session, ended } = await begun(context, os);
      const victims = await agentProcesses(context, os);
      await os.exec(["kill", "-9", ...victims.map(({ pid }) => String(pid))]);
      await ended;
      await expect.poll(() => left(context, os, session), { timeout: 20_000 }).toEqual([]);
      await session.close();
    },
  },
  {
    id: "orphans-dispose",
    title: "no orphan: VM gone",
    async run(context) {
      const { agent, model, open } = context;
      const os = await context.shared();
      const server = await model(shellJob(agent, LEFT_BEHIND));
      const session = await open(server, {}, os);
      // A running turn would hold its VM.
      await session.prompt(SHELL_JOB);
      expect(await processesOfSession(session.id)).not.toEqual([]);
      await os.dispose();
      expect(await processesOfSession(session.id)).toEqual([]);
    },
  },
];

/** A session whose agent runs the command. */
async function begun({ agent, model, open }: CheckContext, os: AgentOs) {
  const server = await model(shellJob(agent, LEAVING));
  const session = await open(server, {}, os);
  const ended = Promise.resolve(session.prompt(SHELL_JOB)).catch((error: unknown) => error);
  await expect.poll(() => sleeping(os), { timeout: 60_000 }).toEqual(LEFT);
  return { session, ended };
}

async function left(context: CheckContext, os: AgentOs, { id }: Session): Promise<string[]> {
  const agents = await agentProcesses(context, os);
  const commands = agents.map(({ command }) => command);
  return [...commands, ...(await sleeping(os)), ...(await processesOfSession(id))];
}

async function agentProcesses({ agent }: CheckContext, os: AgentOs) {
  return (await os.processes()).filter(({ command }) => agent.process.test(command));
}

/** Of the command's sleeps, those that are there. */
async function sleeping(os: AgentOs): Promise<string[]> {
  const commands = (await os.processes()).map(({ command }) => command);
  return LEFT.filter((seconds) => commands.includes(`sleep ${seconds}`));
}
