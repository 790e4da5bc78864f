import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgentOs } from "@agentos/client";

import { atMost, type Row } from "../row.ts";
import { shuffledRun, timed } from "../shuffled-run.ts";
import { startEcho } from "../websocket-echo.ts";

/** 1 KiB read or written, beside a raw WebSocket round trip with JSON and zod at both ends. */
export const smallFilesRow: Row = {
  name: "small-files",
  run: async ({ count }) => {
    const directory = mkdtempSync(join(tmpdir(), "aos-bench-"));
    await using os = await AgentOs.create();
    await using echo = await startEcho(join(directory, "echo.sock"));
    const content = new Uint8Array(1024).fill(65);
    await os.fs.writeFile("/tmp/small", content);
    const { variants, ratio } = await shuffledRun(
      [
        { name: "round trip", measure: () => timed(() => echo.roundTrip()) },
        { name: "read", measure: () => timed(() => os.fs.readFile("/tmp/small")) },
        { name: "write", measure: () => timed(() => os.fs.writeFile("/tmp/small", content)) },
        { name: "stat", measure: () => timed(() => os.fs.stat("/tmp/small")) },
      ],
      count,
    );
    rmSync(directory, { recursive: true });
    return {
      row: "1 KiB read or written",
      unit: "ms",
      variants,
      goals: ["read", "write"].map((name) =>
        atMost(`${name} / round trip`, ratio(name, "round trip"), 2),
      ),
    };
  },
};
