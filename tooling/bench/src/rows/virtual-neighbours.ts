import { AgentOs } from "@agentos/client";

import { atMost, type Row } from "../row.ts";
import { type Summary, summarise } from "../sample.ts";
import { timed } from "../shuffled-run.ts";

const driver = "virtual";
const MIB = 1024 * 1024;
/** What a VM may run that its neighbours in other workers must not feel. Each ends at a limit of its own. */
const BOMBS: Readonly<Record<string, string>> = {
  loop: "f() { while :; do :; done; }; f",
  disk: "x=0123456789abcdef; while true; do echo $x >> f; x=$x$x; done",
  memory:
    'x=0123456789abcdef; for i in {1..16}; do x=$x$x; done; i=0; while true; do i=$((i+1)); eval "v$i=\\"$i\\$x\\""; done',
};

function p99(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(0.99 * sorted.length))] ?? Number.NaN;
}

async function sample(os: AgentOs, isOver: () => boolean): Promise<number[]> {
  const samples: number[] = [];
  while (!isOver()) samples.push(await timed(() => os.exec(["true"])));
  return samples;
}

/** A VM of a worker that the bomb's VM is not in: the first ones go to different workers. */
async function neighbours(): Promise<[AgentOs, AgentOs]> {
  const victim = await AgentOs.create({ driver });
  await victim.exec("true");
  // The worker with no VM yet is started beside the first.
  for (let at = 0; at < 50; at += 1) await victim.exec("true");
  const bomber = await AgentOs.create({ driver, limits: { diskBytes: 16 * MIB } });
  return [victim, bomber];
}

/** exec p99 in one worker while a VM of another runs away. */
export const virtualNeighboursRow: Row = {
  name: "virtual-neighbours",
  run: async ({ count }) => {
    const variants: Record<string, Summary> = {};
    const figures: Record<string, number> = {};
    for (const [name, script] of Object.entries(BOMBS)) {
      const [victim, bomber] = await neighbours();
      let left = count * 2;
      const quiet = await sample(victim, () => left-- === 0);
      let isOver = false;
      const bomb = bomber.exec(script, { timeoutMs: 5_000 }).then(
        () => (isOver = true),
        () => (isOver = true),
      );
      const noisy = await sample(victim, () => isOver);
      await bomb;
      variants[`quiet before ${name}`] = summarise(quiet);
      variants[`beside ${name}`] = summarise(noisy);
      figures[name] = p99(noisy) / p99(quiet);
      await Promise.all([victim.dispose(), bomber.dispose()]);
    }
    return {
      row: "exec of true in one worker while another one has a runaway",
      unit: "ms",
      variants,
      goals: Object.entries(figures).map(([name, figure]) =>
        atMost(`p99 beside a ${name} bomb / quiet`, figure, 3),
      ),
    };
  },
};
