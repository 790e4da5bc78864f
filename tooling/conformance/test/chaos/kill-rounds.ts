import { setTimeout as delay } from "node:timers/promises";

import type { AgentOs } from "@agentos/client";

import { differenceOf, knownCommands } from "./known-command.ts";
import type { Pool } from "./pool.ts";
import type { Random } from "./random.ts";

const EXECS = 20;
const VMS = 2;
/** The kill comes at any moment of this. */
const LONGEST_WAIT_MS = 400;
/** In this share of the rounds the next sidecar is killed as well. */
const KILLED_TWICE = 0.3;

export interface KillRounds {
  rounds: number;
  random: Random;
}

/** Kills the pool's sidecar in the middle of running execs, round after round, always with the same VMs; gives back what was not as it should be. */
export async function killRounds(pool: Pool, { rounds, random }: KillRounds): Promise<string[]> {
  const vms = await Promise.all(Array.from({ length: VMS }, () => pool.create()));
  const wrong: string[] = [];
  const marks: string[][] = vms.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    wrong.push(...(await killRound(pool, { vms, marks, round, random })));
  }
  for (const [index, os] of vms.entries()) {
    wrong.push(...notOnce(await os.fs.readFile("/workspace/ran", "utf8"), marks[index] ?? []));
    const left = (await os.processes()).filter(({ command }) => /^(sleep|cat|seq)\b/.test(command));
    wrong.push(...left.map(({ command }) => `left behind: ${command}`));
    await os.dispose();
  }
  return wrong;
}

interface Round {
  vms: AgentOs[];
  marks: string[][];
  round: number;
  random: Random;
}

async function killRound(pool: Pool, { vms, marks, round, random }: Round): Promise<string[]> {
  const pid = await pool.pid();
  const running = knownCommands(EXECS, random).map((known, index) => {
    const mark = `r${round}-${index}`;
    marks[index % VMS]?.push(mark);
    const os = vms[index % VMS];
    return os === undefined ? undefined : differenceOf(os, mark, known);
  });
  await delay(random() * LONGEST_WAIT_MS);
  process.kill(pid, "SIGKILL");
  const creation = created(pool);
  if (random() < KILLED_TWICE) await killNext(pool, pid, random() * LONGEST_WAIT_MS);
  const all = await Promise.all([...running, creation]);
  return all.filter((difference) => difference !== undefined);
}

/** The next sidecar too, while it takes over. */
async function killNext(pool: Pool, pid: number, waitMs: number): Promise<void> {
  while (pool.discoveredPid() === pid) await delay(1);
  await delay(waitMs);
  process.kill(pool.discoveredPid(), "SIGKILL");
}

/** A create in the moment of the kill. */
async function created(pool: Pool): Promise<string | undefined> {
  try {
    await using os = await pool.create();
    const { stdout } = await os.exec("echo made");
    return stdout === "made\n" ? undefined : `the new VM said ${JSON.stringify(stdout)}`;
  } catch (error) {
    return `create: ${String(error)}`;
  }
}

function notOnce(ran: string, marks: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const mark of ran.trimEnd().split("\n")) counts.set(mark, (counts.get(mark) ?? 0) + 1);
  return marks.flatMap((mark) =>
    counts.get(mark) === 1 ? [] : [`${mark} ran ${counts.get(mark) ?? 0} times`],
  );
}
