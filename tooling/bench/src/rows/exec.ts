import { AgentOs } from "@agentos/client";

import { hostProcess } from "../floors.ts";
import { atMost, type Row } from "../row.ts";
import { shuffledRun, timed } from "../shuffled-run.ts";

/** exec of /bin/true in a live VM, client to result. */
export const execRow: Row = {
  name: "exec",
  run: async ({ count }) => {
    await using os = await AgentOs.create();
    const { variants, ratio } = await shuffledRun(
      [
        { name: "spawn true", measure: () => timed(() => hostProcess("/bin/true")) },
        { name: "exec true", measure: () => timed(() => os.exec(["/bin/true"])) },
        { name: "spawn sh", measure: () => timed(() => hostProcess("/bin/sh", ["-c", "echo hi"])) },
        { name: "exec sh", measure: () => timed(() => os.exec("echo hi")) },
      ],
      count,
    );
    return {
      row: "exec of /bin/true in a live VM",
      unit: "ms",
      variants,
      goals: [
        atMost("p50 / spawn", ratio("exec true", "spawn true"), 0.7),
        atMost("p95 / spawn", ratio("exec true", "spawn true", "p95"), 1),
      ],
    };
  },
};
