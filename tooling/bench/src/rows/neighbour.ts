import { AgentOs } from "@agentos/client";

import { atMost, type Goal, type Row } from "../row.ts";
import { type Summary, summarise } from "../sample.ts";
import { measured, timed } from "../shuffled-run.ts";

const MIB = 1024 * 1024;
const LIMITS = { memoryBytes: 256 * MIB, pids: 200, diskBytes: 64 * MIB, openFiles: 10_000 };

/** Each goes on for ever, whatever its limit does to it. */
const BOMBS = {
  fork: "f() { f | f & f | f & }; while :; do (f) 2> /dev/null; done",
  memory: "while :; do head -c 600m /dev/zero | tail -c 599m > /dev/null; done",
  disk: "while :; do cat /dev/zero > /workspace/x 2> /dev/null; rm -f /workspace/x; done",
  output: "exec cat /dev/zero",
  // 100 MB in each second, if it is let.
  rate: "while :; do head -c 10m /dev/zero; sleep 0.1; done",
  files:
    "exec python3 -c 'import os\nwhile True:\n  held = []\n  try:\n    while True: held.append(os.open(\"/dev/null\", 0))\n  except OSError: [os.close(fd) for fd in held]'",
  init: "while :; do kill -9 1; kill -9 -1; done",
  terminal: "exec script -qc 'cat /dev/zero | tr \"\\0\" x' /dev/null",
} as const;
type Bomb = keyof typeof BOMBS;
const BOMB_NAMES: readonly Bomb[] = [
  "fork",
  "memory",
  "disk",
  "output",
  "rate",
  "files",
  "init",
  "terminal",
];
const HELD_BY = {
  fork: "pids",
  memory: "memoryBytes",
  disk: "diskBytes",
  output: "cpus",
  rate: "cpus",
  files: "openFiles",
  init: "pids",
  terminal: "cpus",
} as const satisfies Record<Bomb, string>;

/** A p99 takes more samples than the other rows': with the default count 2,000. */
const SAMPLES_EACH = 10;

/** A VM's exec while another one runs a bomb, each beside quiet ones of the same minute. */
export const neighbourRow: Row = {
  name: "neighbour",
  run: async ({ count }) => {
    await using neighbour = await AgentOs.create();
    const execs = async (): Promise<number[]> => {
      const samples: number[] = [];
      for (let index = 0; index < count * SAMPLES_EACH; index += 1)
        samples.push(await timed(() => neighbour.exec(["/bin/true"])));
      return samples;
    };
    await execs();
    const variants: Record<string, Summary> = {};
    const goals: Goal[] = [];
    for (const bomb of shuffled(BOMB_NAMES)) {
      const before = await execs();
      const { samples, enforcement } = await beside(bomb, execs);
      const quiet = `quiet, ${bomb}`;
      variants[quiet] = summarise([...before, ...(await execs())]);
      variants[bomb] = summarise(samples);
      const ratio = measured(variants).ratio(bomb, quiet, "p99");
      goals.push(atMost(`${bomb} (${enforcement}): p99 / quiet p99`, ratio, 3));
    }
    return { row: "a neighbour's exec beside a bomb", unit: "ms", variants, goals };
  },
};

async function beside(
  bomb: Bomb,
  execs: () => Promise<number[]>,
): Promise<{ samples: number[]; enforcement: string }> {
  await using os = await AgentOs.create({ limits: LIMITS });
  const { limits } = await os.info();
  const running = await os.spawn(["sh", "-c", BOMBS[bomb]]);
  // Its end, with its VM, is no news.
  running.exited.catch(() => undefined);
  const drained = Promise.allSettled([drain(running.stdout), drain(running.stderr)]);
  // What it takes to be at its limit.
  await execs();
  const samples = await execs();
  await os.end();
  await drained;
  return { samples, enforcement: limits[HELD_BY[bomb]].enforcement };
}

async function drain(stream: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of stream) if (chunk.byteLength === 0) return;
}

function shuffled(bombs: readonly Bomb[]): Bomb[] {
  return bombs
    .map((bomb) => ({ bomb, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ bomb }) => bomb);
}
