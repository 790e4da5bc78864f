import { AgentOs } from "@agentos/client";

import { atMost, type Row } from "../row.ts";
import { summarise } from "../sample.ts";
import { measured, timed } from "../shuffled-run.ts";

/** A control round trip and another VM's exec, quiet and while a bulk stream runs. */
export const controlRow: Row = {
  name: "control",
  run: async ({ count }) => {
    await using busy = await AgentOs.create();
    await using other = await AgentOs.create();
    const controls = (): Promise<number[]> => repeat(count, () => timed(() => other.info()));
    const execs = (): Promise<number[]> =>
      repeat(count, () => timed(() => other.exec(["/bin/true"])));
    await execs();
    const quiet = { control: await controls(), exec: await execs() };
    const flood = await busy.spawn(["cat", "/dev/zero"]);
    const reading = (async () => {
      for await (const chunk of flood.stdout) if (chunk.byteLength === 0) break;
    })();
    const beside = { control: await controls(), exec: await execs() };
    await flood.kill("SIGKILL");
    await reading;
    const { variants, ratio } = measured({
      "control, quiet": summarise(quiet.control),
      "control, bulk": summarise(beside.control),
      "exec, quiet": summarise(quiet.exec),
      "exec, bulk": summarise(beside.exec),
    });
    return {
      row: "control and exec while a bulk stream runs",
      unit: "ms",
      variants,
      goals: [
        atMost("control p95 / quiet", ratio("control, bulk", "control, quiet", "p95"), 3),
        atMost("exec p95 / quiet", ratio("exec, bulk", "exec, quiet", "p95"), 3),
      ],
    };
  },
};

async function repeat(count: number, measure: () => Promise<number>): Promise<number[]> {
  const samples: number[] = [];
  for (let index = 0; index < count; index += 1) samples.push(await measure());
  return samples;
}
