import { AgentOs } from "@agentos/client";

import { hostProcess } from "../floors.ts";
import { atMost, type Row } from "../row.ts";
import { summarise } from "../sample.ts";
import { shuffledRun, timed } from "../shuffled-run.ts";

const MANY = 100;

async function createAndExec(): Promise<AgentOs> {
  const os = await AgentOs.create();
  await os.exec(["/bin/true"]);
  return os;
}

function allAtOnce<T>(work: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: MANY }, (_, index) => work(index)));
}

/** 100 VMs made at once until each answered an exec; then 100 execs at once over them. */
export const manyRow: Row = {
  name: "many",
  run: async ({ count }) => {
    // How long a sidecar takes to start is a row of its own.
    await using keep = await AgentOs.create();
    await keep.exec("true");
    let all: AgentOs[] = [];
    const createMs = await timed(async () => {
      all = await allAtOnce(createAndExec);
    });
    const { variants, ratio } = await shuffledRun(
      [
        {
          name: "100 spawns",
          measure: () => timed(() => allAtOnce(() => hostProcess("/bin/true"))),
        },
        {
          name: "100 execs",
          measure: () => timed(() => Promise.all(all.map((os) => os.exec(["/bin/true"])))),
        },
      ],
      Math.max(3, Math.round(count / 20)),
    );
    const disposeMs = await timed(() => Promise.all(all.map((os) => os.dispose())));
    return {
      row: "100 VMs created; 100 execs at once",
      unit: "ms",
      variants: {
        ...variants,
        "create 100": summarise([createMs]),
        "dispose 100": summarise([disposeMs]),
      },
      goals: [
        atMost("create 100, ms", createMs, 500),
        atMost("100 execs / 100 spawns", ratio("100 execs", "100 spawns"), 0.5),
      ],
    };
  },
};
