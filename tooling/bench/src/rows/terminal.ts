import { AgentOs } from "@agentos/client";

import { hostProcess } from "../floors.ts";
import { atMost, type Row } from "../row.ts";
import { shuffledRun, timed } from "../shuffled-run.ts";

/** A key typed at a terminal until its echo is here. */
export const terminalRow: Row = {
  name: "terminal",
  run: async ({ count }) => {
    await using os = await AgentOs.create();
    await using terminal = await os.openTerminal({ command: ["cat"] });
    const reader = terminal.output.getReader();
    const echo = async (): Promise<void> => {
      await terminal.write("x");
      await reader.read();
    };
    // Attached both ways before the first sample.
    await echo();
    const { variants, ratio } = await shuffledRun(
      [
        { name: "spawn true", measure: () => timed(() => hostProcess("/bin/true")) },
        { name: "key to echo", measure: () => timed(echo) },
      ],
      count,
    );
    await reader.cancel();
    return {
      row: "a key typed, to its echo",
      unit: "ms",
      variants,
      goals: [atMost("p50 / spawn", ratio("key to echo", "spawn true"), 1)],
    };
  },
};
