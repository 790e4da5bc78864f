import { AgentOs } from "@agentos/client";

import { hostFirstByte } from "../floors.ts";
import { atMost, type Row } from "../row.ts";
import { type Measured, shuffledRun, timed } from "../shuffled-run.ts";

const FILES = 10_000;
const MAKE_FILES = `i=0; while [ $i -lt ${FILES / 100} ]; do mkdir d$i; for j in $(seq 100); do echo $i > d$i/f$j; done; i=$((i+1)); done`;
const READ_FILES = "find . -type f -exec cat {} + | wc -l";
const GENERATIONS = 21;
/** Forks of one VM: each gives it a layer, and from some on they are copied into one. */
const FORKS_EACH = 10;
/** Of a generation's tree. */
const MOST_READS = 20;

/** Forks of a VM with many files, and what their depth costs. */
export const forkRow: Row = {
  name: "fork",
  run: async ({ count }) => {
    const begun = await begin(count);
    const parent = await parentOf();
    const lineage = await lineageOf(parent);
    const [first = parent, last = parent] = [lineage[0], lineage.at(-1)];
    const read = await shuffledRun(
      [
        { name: "read, 1st generation", measure: () => timed(() => first.exec(READ_FILES)) },
        { name: `read, ${GENERATIONS}st`, measure: () => timed(() => last.exec(READ_FILES)) },
      ],
      Math.min(count, MOST_READS),
    );
    await Promise.all([parent, ...lineage].map((os) => os.dispose()));
    return {
      row: `fork of a VM with ${FILES} files, to first output; reading them`,
      unit: "ms",
      variants: { ...begun.variants, ...read.variants },
      goals: [
        atMost("fork p50 / create", begun.ratio("fork + echo", "create + echo"), 2),
        atMost(
          `${GENERATIONS}st / 1st`,
          read.ratio(`read, ${GENERATIONS}st`, "read, 1st generation"),
          3,
        ),
      ],
    };
  },
};

/** A fork, beside a plain create. */
async function begin(count: number): Promise<Measured> {
  let parent = await parentOf();
  let forks = 0;
  const fork = async (): Promise<number> => {
    if (forks === FORKS_EACH) {
      await parent.dispose();
      parent = await parentOf();
      forks = 0;
    }
    forks += 1;
    return await firstByte(async () => (await parent.fork())[0]);
  };
  const begun = await shuffledRun(
    [
      { name: "spawn echo", measure: () => hostFirstByte("/bin/echo", ["hi"]) },
      { name: "create + echo", measure: () => firstByte(() => AgentOs.create()) },
      { name: "fork + echo", measure: fork },
    ],
    count,
  );
  await parent.dispose();
  return begun;
}

async function parentOf(): Promise<AgentOs> {
  const os = await AgentOs.create();
  await os.exec(MAKE_FILES);
  return os;
}

/** To the first byte of /bin/echo; the VM's end is not counted. */
async function firstByte(make: () => Promise<AgentOs | undefined>): Promise<number> {
  const startedAt = performance.now();
  let tookMs = Number.NaN;
  await using os = await make();
  await os?.exec(["/bin/echo", "hi"], {
    onStdout: () => {
      tookMs = performance.now() - startedAt;
    },
  });
  return tookMs;
}

/** Each a fork of the one before. */
async function lineageOf(parent: AgentOs): Promise<AgentOs[]> {
  const lineage: AgentOs[] = [];
  for (let latest = parent; lineage.length < GENERATIONS;) {
    const [next] = await latest.fork();
    if (next === undefined) throw new Error("expected a fork");
    // What it adds is a layer of its own.
    await next.exec(`echo ${lineage.length} > generation`);
    lineage.push(next);
    latest = next;
  }
  return lineage;
}
