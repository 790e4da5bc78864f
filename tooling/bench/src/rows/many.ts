import { AgentOs } from "@agentos/client";

import { hostProcess } from "../floors.ts";
import { atMost, type Row } from "../row.ts";
import { type Summary, summarise } from "../sample.ts";
import { shuffledRun, timed } from "../shuffled-run.ts";

const MANY = 100;

/** 100 VMs made at once until each answered an exec; then 100 execs at once over them. */
export const manyRow: Row = {
  name: "many",
  run: async ({ count }) => {
    const rounds = Math.max(3, Math.round(count / 20));
    let all: AgentOs[] = [];
    const createMs = await timed(async () => {
      all = await Promise.all(
        Array.from({ length: MANY }, async () => {
          const os = await AgentOs.create();
          await os.exec(["/bin/true"]);
          return os;
        }),
      );
    });
    const samples = await shuffledRun(
      [
        {
          name: "100 spawns",
          measure: () => timed(() => Promise.all(all.map(() => hostProcess("/bin/true")))),
        },
        {
          name: "100 execs",
          measure: () => timed(() => Promise.all(all.map((os) => os.exec(["/bin/true"])))),
        },
      ],
      rounds,
    );
    const disposeMs = await timed(() => Promise.all(all.map((os) => os.dispose())));
    const variants: Record<string, Summary> = {
      ...Object.fromEntries([...samples].map(([name, values]) => [name, summarise(values)])),
      "create 100": summarise([createMs]),
      "dispose 100": summarise([disposeMs]),
    };
    const p50 = (name: string): number => variants[name]?.p50 ?? Number.NaN;
    return {
      row: "100 VMs created; 100 execs at once",
      unit: "ms",
      variants,
      goals: [
        atMost("create 100, ms", createMs, 500),
        atMost("100 execs / 100 spawns", p50("100 execs") / p50("100 spawns"), 0.5),
      ],
    };
  },
};
