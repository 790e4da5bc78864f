import { AgentOs } from "@agentos/client";

import { hasBubblewrap, inBubblewrap } from "../bubblewrap.ts";
import { hostFirstByte } from "../floors.ts";
import { atMost, type Row } from "../row.ts";
import { summarise } from "../sample.ts";
import { shuffledRun } from "../shuffled-run.ts";

/** create() to the first byte of /bin/echo; the VM's end is not counted. */
async function createToFirstByte(): Promise<number> {
  const startedAt = performance.now();
  let tookMs = Number.NaN;
  await using os = await AgentOs.create();
  await os.exec(["/bin/echo", "hi"], {
    onStdout: () => {
      tookMs = performance.now() - startedAt;
    },
  });
  return tookMs;
}

/** A VM made while the caller waits. */
export const createRow: Row = {
  name: "create",
  run: async ({ count }) => {
    await using keep = await AgentOs.create();
    await keep.exec("true");
    const compare = hasBubblewrap();
    const samples = await shuffledRun(
      [
        { name: "spawn echo", measure: () => hostFirstByte("/bin/echo", ["hi"]) },
        { name: "create + echo", measure: createToFirstByte },
        ...(compare
          ? [{ name: "bwrap echo", measure: () => hostFirstByte("bwrap", inBubblewrap(["/bin/echo", "hi"])) }]
          : []),
      ],
      count,
    );
    const variants = Object.fromEntries([...samples].map(([name, all]) => [name, summarise(all)]));
    const p50 = (name: string): number => variants[name]?.p50 ?? Number.NaN;
    return {
      row: "create() to first output, nothing pooled",
      unit: "ms",
      variants,
      goals: [
        atMost("p50 / spawn", p50("create + echo") / p50("spawn echo"), 2),
        ...(compare ? [atMost("p50 / bwrap", p50("create + echo") / p50("bwrap echo"), 0.8)] : []),
      ],
    };
  },
};
