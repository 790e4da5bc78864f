import { AgentOs } from "@agentos/client";

import { hostProcess } from "../floors.ts";
import { atMost, type Row } from "../row.ts";
import { summarise } from "../sample.ts";
import { shuffledRun, timed } from "../shuffled-run.ts";

/** exec of /bin/true in a live VM, client to result. */
export const execRow: Row = {
  name: "exec",
  run: async ({ count }) => {
    await using os = await AgentOs.create();
    const samples = await shuffledRun(
      [
        { name: "spawn true", measure: () => timed(() => hostProcess("/bin/true")) },
        { name: "exec true", measure: () => timed(() => os.exec(["/bin/true"])) },
        { name: "spawn sh", measure: () => timed(() => hostProcess("/bin/sh", ["-c", "echo hi"])) },
        { name: "exec sh", measure: () => timed(() => os.exec("echo hi")) },
      ],
      count,
    );
    const variants = Object.fromEntries([...samples].map(([name, all]) => [name, summarise(all)]));
    const floor = variants["spawn true"];
    const ours = variants["exec true"];
    return {
      row: "exec of /bin/true in a live VM",
      unit: "ms",
      variants,
      goals: [
        atMost("p50 / spawn", (ours?.p50 ?? Number.NaN) / (floor?.p50 ?? Number.NaN), 0.7),
        atMost("p95 / spawn", (ours?.p95 ?? Number.NaN) / (floor?.p95 ?? Number.NaN), 1),
      ],
    };
  },
};
