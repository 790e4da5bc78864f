import { AgentOs } from "@agentos/client";

import { hostBytes } from "../floors.ts";
import { atLeast, type Row } from "../row.ts";
import { shuffledRun, timed } from "../shuffled-run.ts";

const MIB = 1024 * 1024;
const OUTPUT_MIB = 500;
const FILE_MIB = 100;
const HEAD = ["-c", String(OUTPUT_MIB * MIB), "/dev/zero"];

async function drain(stream: AsyncIterable<Uint8Array>, expected: number): Promise<void> {
  let bytes = 0;
  for await (const chunk of stream) bytes += chunk.byteLength;
  if (bytes !== expected) throw new Error(`expected ${expected} bytes, got ${bytes}`);
}

/** MiB per second. */
async function rate(mib: number, work: () => Promise<unknown>): Promise<number> {
  return (mib * 1000) / (await timed(work));
}

/** 500 MiB of output, and a 100 MiB file each way, in MiB per second. */
export const outputRow: Row = {
  name: "output",
  run: async () => {
    await using os = await AgentOs.create();
    const file = new Uint8Array(FILE_MIB * MIB).fill(1);
    const { variants, ratio } = await shuffledRun(
      [
        { name: "pipe", measure: () => rate(OUTPUT_MIB, () => hostBytes("head", HEAD)) },
        {
          name: "output",
          measure: () =>
            rate(OUTPUT_MIB, async () => {
              const head = await os.spawn(["head", ...HEAD]);
              await drain(head.stdout, OUTPUT_MIB * MIB);
              await head.exited;
            }),
        },
        { name: "write", measure: () => rate(FILE_MIB, () => os.fs.writeFile("/tmp/file", file)) },
        {
          name: "read",
          measure: () => rate(FILE_MIB, () => drain(os.fs.readStream("/tmp/file"), FILE_MIB * MIB)),
        },
      ],
      3,
    );
    return {
      row: "500 MiB of output, a 100 MiB file",
      unit: "MiB/s",
      variants,
      goals: ["output", "read", "write"].map((name) =>
        atLeast(`${name} / pipe`, ratio(name, "pipe"), 0.4),
      ),
    };
  },
};
