import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { AgentOs } from "@agentos/client";

import { atMost, type Row } from "../row.ts";
import { shuffledRun, timed } from "../shuffled-run.ts";

const DIRECTORIES = 100;
const FILES_EACH = 100;
const FILE_BYTES = 2048;
const MOST_SAMPLES = 10;
const run = promisify(execFile);

/** A tree of 10,000 small files in and out, beside `tar c | tar x` on the host. */
export const treesRow: Row = {
  name: "trees",
  run: async ({ count }) => {
    const directory = mkdtempSync(join(tmpdir(), "aos-bench-"));
    const source = join(directory, "source");
    makeTree(source);
    await using os = await AgentOs.create();
    let made = 0;
    /** A place that is not there yet, and goes when the sample is taken. */
    const fresh = async (work: (target: string) => Promise<unknown>): Promise<number> => {
      made += 1;
      const target = join(directory, `target-${made}`);
      const took = await timed(() => work(target));
      rmSync(target, { recursive: true, force: true });
      return took;
    };
    await os.fs.upload(source, "/workspace/tree");
    const { variants, ratio } = await shuffledRun(
      [
        { name: "tar", measure: () => fresh((target) => tar(source, target)) },
        {
          name: "upload",
          measure: async () => {
            const took = await timed(() => os.fs.upload(source, "/workspace/new"));
            await os.fs.rm("/workspace/new", { recursive: true });
            return took;
          },
        },
        {
          name: "download",
          measure: () => fresh((target) => os.fs.download("/workspace/tree", target)),
        },
      ],
      Math.min(count, MOST_SAMPLES),
    );
    rmSync(directory, { recursive: true });
    return {
      row: `${DIRECTORIES * FILES_EACH} files of ${FILE_BYTES} bytes`,
      unit: "ms",
      variants,
      goals: ["upload", "download"].map((name) => atMost(`${name} / tar`, ratio(name, "tar"), 3)),
    };
  },
};

function makeTree(path: string): void {
  for (let at = 0; at < DIRECTORIES; at += 1) {
    const directory = join(path, `d${at}`);
    mkdirSync(directory, { recursive: true });
    for (let file = 0; file < FILES_EACH; file += 1)
      writeFileSync(join(directory, `f${file}`), Buffer.alloc(FILE_BYTES, file));
  }
}

async function tar(source: string, target: string): Promise<void> {
  mkdirSync(target);
  await run("sh", ["-c", 'tar -c -C "$0" . | tar -x -C "$1"', source, target]);
}
