import { AgentOs } from "@agentos/client";

import { hasBubblewrap, inBubblewrap } from "../bubblewrap.ts";
import { hostFirstByte } from "../floors.ts";
import { atMost, type Row } from "../row.ts";
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

/** A VM leased while the caller waits: from the warm pool where one is ready, else made. */
export const createRow: Row = {
  name: "create",
  run: async ({ count }) => {
    await using keep = await AgentOs.create();
    await keep.exec("true");
    const compare = hasBubblewrap();
    const { variants, ratio } = await shuffledRun(
      [
        { name: "spawn echo", measure: () => hostFirstByte("/bin/echo", ["hi"]) },
        { name: "create + echo", measure: createToFirstByte },
        ...(compare
          ? [
              {
                name: "bwrap echo",
                measure: () => hostFirstByte("bwrap", inBubblewrap(["/bin/echo", "hi"])),
              },
            ]
          : []),
      ],
      count,
    );
    return {
      row: "create() to first output, one after the other, warm pool as it comes",
      unit: "ms",
      variants,
      goals: [
        atMost("p50 / spawn", ratio("create + echo", "spawn echo"), 1),
        ...(compare ? [atMost("p50 / bwrap", ratio("create + echo", "bwrap echo"), 0.8)] : []),
      ],
    };
  },
};
