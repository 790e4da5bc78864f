import { expect } from "vitest";

import type { AgentCheck, CheckContext } from "./agent-under-test.ts";
import { SHELL_JOB, shellJob } from "./jobs.ts";

const ROUNDS = 5;

/** The same job by AgentOS and by hand, in one VM, by turns: what is added to the agent's own time. */
export const OVERHEAD: AgentCheck = {
  id: "overhead",
  title: "added to its own job",
  async run(context) {
    const { agent, os, model, open } = context;
    if (agent.byHand === undefined) return "not measured";
    const server = await model(shellJob(agent, "true"));
    await using session = await open(server);
    await session.prompt(SHELL_JOB);
    const { argv, env } = await processOf(context);
    const command = agent.byHand(argv, SHELL_JOB);
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      theirs.push(
        // oxlint-disable-next-line no-await-in-loop -- By turns.
        await timed(async () => {
          const { exitCode, stderr } = await os.exec([...command], { env, cwd: "/workspace" });
          expect({ exitCode, stderr: exitCode === 0 ? "" : stderr }).toEqual({
            exitCode: 0,
            stderr: "",
          });
        }),
      );
      ours.push(
        // oxlint-disable-next-line no-await-in-loop -- By turns.
        await timed(async () => {
          await using one = await open(server);
          await one.prompt(SHELL_JOB);
        }),
      );
    }
    const [a, b] = [median(ours), median(theirs)];
    return `${Math.round((a / b - 1) * 100)} % of ${Math.round(b)} ms`;
  },
};

async function timed(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** How the agent's own process was started. */
async function processOf({ os, agent }: CheckContext) {
  const processes = await os.processes();
  const pid = processes.find(({ command }) => agent.process.test(command))?.pid;
  const [argv, env] = await Promise.all(
    ["cmdline", "environ"].map(async (name) => {
      const { stdout } = await os.exec(["cat", `/proc/${pid}/${name}`]);
      return stdout.split("\0").filter((each) => each !== "");
    }),
  );
  const pairs = (env ?? []).map((each) => {
    const at = each.indexOf("=");
    return [each.slice(0, at), each.slice(at + 1)] as const;
  });
  return { argv: argv ?? [], env: Object.fromEntries(pairs) };
}
