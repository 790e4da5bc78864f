import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { hostProcess } from "../floors.ts";
import { atMost, type Row } from "../row.ts";
import { shuffledRun, timed } from "../shuffled-run.ts";

const PROGRAM = fileURLToPath(
  new URL("dist/bin/agentos-sidecar.js", import.meta.resolve("@agentos/sidecar/package.json")),
);

const COMPILE_CACHE = mkdtempSync(join(tmpdir(), "aos-cache-"));
process.once("exit", () => rmSync(COMPILE_CACHE, { recursive: true, force: true }));

function startMessage(directory: string): Buffer {
  const json = Buffer.from(
    JSON.stringify({
      protocol: { min: 1, max: 1 },
      client: { name: "bench", version: "0" },
      sidecarId: "bench",
      stateDirectory: join(directory, "state"),
      runtimeDirectory: join(directory, "run"),
    }),
  );
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.byteLength);
  return Buffer.concat([length, json]);
}

/** Ends the sidecar by closing the stdin that its owner holds. */
async function end(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.stdin?.end();
  await exited;
}

async function spawnToReady(): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "aos-"));
  const startedAt = performance.now();
  const flags = ["--disable-warning=ExperimentalWarning", "--max-semi-space-size=1"];
  const child = spawn(process.execPath, [...flags, PROGRAM], {
    stdio: ["pipe", "pipe", "ignore"],
    // As the client starts it, from the second start on.
    env: { NODE_COMPILE_CACHE: COMPILE_CACHE },
  });
  child.stdin.write(startMessage(directory));
  const [answer] = await once(child.stdout, "data");
  const tookMs = performance.now() - startedAt;
  if (!String(answer).includes('"ready"'))
    throw new Error(`the sidecar did not start: ${String(answer)}`);
  await end(child);
  rmSync(directory, { recursive: true, force: true });
  return tookMs;
}

/** A sidecar from its spawn to its ready message, beside a Node that does nothing. */
export const sidecarStartRow: Row = {
  name: "sidecar-start",
  run: async ({ count }) => {
    const { variants, ratio } = await shuffledRun(
      [
        {
          name: "node -e 0",
          measure: () => timed(() => hostProcess(process.execPath, ["-e", "0"])),
        },
        { name: "spawn to ready", measure: spawnToReady },
      ],
      Math.max(5, Math.round(count / 10)),
    );
    return {
      row: "a sidecar from spawn to ready",
      unit: "ms",
      variants,
      goals: [atMost("p50 / node -e 0", ratio("spawn to ready", "node -e 0"), 5)],
    };
  },
};
