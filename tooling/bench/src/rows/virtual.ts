import { readFileSync } from "node:fs";

import { AgentOs } from "@agentos/client";

import { hostFirstByte, hostProcess } from "../floors.ts";
import { atLeast, atMost, type Row } from "../row.ts";
import { summarise } from "../sample.ts";
import { shuffledRun, timed } from "../shuffled-run.ts";

const VMS = 1_000;
const AT_ONCE = 50;
const KIB = 1024;
const driver = "virtual";

/** create() of a virtual VM to the first byte of echo; its end is not counted. */
async function createToFirstByte(): Promise<number> {
  const startedAt = performance.now();
  let tookMs = Number.NaN;
  await using os = await AgentOs.create({ driver });
  await os.exec(["echo", "hi"], {
    onStdout: () => {
      tookMs = performance.now() - startedAt;
    },
  });
  return tookMs;
}

/** create() and exec of the virtual driver, in workers that run. */
export const virtualRow: Row = {
  name: "virtual",
  run: async ({ count }) => {
    await using os = await AgentOs.create({ driver });
    const { variants, ratio } = await shuffledRun(
      [
        { name: "spawn true", measure: () => timed(() => hostProcess("/bin/true")) },
        { name: "exec true", measure: () => timed(() => os.exec(["true"])) },
        { name: "exec sh", measure: () => timed(() => os.exec("echo hi")) },
        { name: "spawn echo", measure: () => hostFirstByte("/bin/echo", ["hi"]) },
        { name: "create + echo", measure: createToFirstByte },
        {
          name: "create",
          measure: async () => {
            let made: AgentOs | undefined;
            const tookMs = await timed(async () => {
              made = await AgentOs.create({ driver });
            });
            await made?.dispose();
            return tookMs;
          },
        },
      ],
      count,
    );
    return {
      row: "the virtual driver: exec of true; create(), alone and to first output",
      unit: "ms",
      variants,
      goals: [
        atMost("exec p50 / spawn", ratio("exec true", "spawn true"), 1),
        atMost("create p50 / spawn", ratio("create", "spawn echo"), 1),
        atMost("create + echo p50 / spawn", ratio("create + echo", "spawn echo"), 1),
      ],
    };
  },
};

function residentBytes(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1] ?? Number.NaN) * KIB;
}

async function inBatches<T>(items: readonly number[], work: () => Promise<T>): Promise<T[]> {
  const done: T[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE) {
    const batch = items.slice(at, at + AT_ONCE);
    done.push(...(await Promise.all(batch.map(() => work()))));
  }
  return done;
}

/** 1,000 virtual VMs in one sidecar: what each costs idle, and whether all answer. */
export const virtualManyRow: Row = {
  name: "virtual-many",
  run: async () => {
    const sidecar = await AgentOs.createSidecar({});
    const numbers = Array.from({ length: VMS - 2 }, (_, index) => index);
    const make = (): Promise<AgentOs> => AgentOs.create({ driver, sidecar });
    // The workers and the interpreter are there, whatever the number of VMs.
    const first = [await make(), await make()];
    await Promise.all(first.map((os) => os.exec("echo hi")));
    const { sidecarPid } = await (first[0] ?? (await make())).info();
    const before = residentBytes(sidecarPid);
    let all: AgentOs[] = [];
    const createMs = await timed(async () => {
      all = await inBatches(numbers, make);
    });
    const perVm = (residentBytes(sidecarPid) - before) / numbers.length;
    const answers = await Promise.all(all.map((os) => os.exec(["true"])));
    const answered = answers.filter(({ exitCode }) => exitCode === 0).length + first.length;
    await sidecar.dispose();
    return {
      row: `${VMS} virtual VMs in one sidecar`,
      unit: "KiB, ms",
      variants: {
        "per idle VM, KiB": summarise([perVm / KIB]),
        "create all, ms": summarise([createMs]),
      },
      goals: [
        atMost("KiB per idle VM", perVm / KIB, 150),
        atLeast("VMs that answered an exec", answered, VMS),
      ],
    };
  },
};
