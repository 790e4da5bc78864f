import { AgentOs, type AgentOsSidecar } from "@agentos/client";

import { hasBubblewrap, inBubblewrap } from "../bubblewrap.ts";
import { hostFirstByte } from "../floors.ts";
import { atMost, type Row } from "../row.ts";
import { shuffledRun } from "../shuffled-run.ts";

/** create() to the first byte of /bin/echo; the VM's end is not counted. */
async function createToFirstByte(sidecar?: AgentOsSidecar): Promise<number> {
  const startedAt = performance.now();
  let tookMs = Number.NaN;
  await using os = await AgentOs.create({ sidecar });
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
    const unpooled = await AgentOs.createSidecar({ warmPoolSize: 0 });
    // Without a VM its process would end, and the next create would wait for another.
    await AgentOs.create({ sidecar: unpooled });
    const compare = hasBubblewrap();
    const { variants, ratio } = await shuffledRun(
      [
        { name: "spawn echo", measure: () => hostFirstByte("/bin/echo", ["hi"]) },
        { name: "create + echo", measure: () => createToFirstByte() },
        { name: "cold create + echo", measure: () => createToFirstByte(unpooled) },
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
    await unpooled.dispose();
    return {
      row: "create() to first output, one after the other, warm pool as it comes",
      unit: "ms",
      variants,
      goals: [
        atMost("p50 / spawn", ratio("create + echo", "spawn echo"), 1),
        atMost("cold p50 / spawn", ratio("cold create + echo", "spawn echo"), 2),
        ...(compare
          ? [atMost("cold p50 / bwrap", ratio("cold create + echo", "bwrap echo"), 0.8)]
          : []),
      ],
    };
  },
};
