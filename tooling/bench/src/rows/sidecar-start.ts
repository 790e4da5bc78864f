import { AgentOs } from "@agentos/client";

import { hostProcess } from "../floors.ts";
import { atMost, type Row } from "../row.ts";
import { summarise } from "../sample.ts";
import { shuffledRun, timed } from "../shuffled-run.ts";

/** From nothing to a first VM's info on a sidecar of its own, beside a Node that does nothing. */
export const sidecarStartRow: Row = {
  name: "sidecar-start",
  run: async ({ count }) => {
    const samples = await shuffledRun(
      [
        { name: "node -e 0", measure: () => timed(() => hostProcess(process.execPath, ["-e", "0"])) },
        {
          name: "first VM",
          measure: async () => {
            const sidecar = await AgentOs.createSidecar();
            const tookMs = await timed(async () => {
              await using os = await AgentOs.create({ sidecar });
              return os.id;
            });
            await sidecar.dispose();
            return tookMs;
          },
        },
      ],
      Math.max(3, Math.round(count / 20)),
    );
    const variants = Object.fromEntries([...samples].map(([name, all]) => [name, summarise(all)]));
    const p50 = (name: string): number => variants[name]?.p50 ?? Number.NaN;
    return {
      row: "a sidecar started and its first VM made and ended",
      unit: "ms",
      variants,
      goals: [atMost("p50 / node -e 0", p50("first VM") / p50("node -e 0"), 5)],
    };
  },
};
