import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";

import { AgentOs } from "@agentos/client";
import { describe, expect, test } from "vitest";

import { processesWith, useWorld } from "./world.ts";

const world = useWorld();
const PROGRAM = join(import.meta.dirname, "program.ts");
const COMMAND = join(import.meta.dirname, "../../../../apps/cli/dist/main.js");

interface Line {
  sidecarPid: number;
  epoch: number;
}

function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, args, {
    env: { PATH: process.env["PATH"], ...world.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function firstLine(child: ChildProcess): Promise<Line> {
  let text = "";
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    if (text.includes("\n")) break;
  }
  const line: Line = JSON.parse(text.split("\n")[0] ?? "");
  return line;
}

function files(): string[] {
  return readdirSync(join(world.directory, "run"), { recursive: true, encoding: "utf8" });
}

/** Ends when `condition` holds; vitest's timeout is the bound. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe("lifecycle", () => {
  test("[pool.race] [pool.shared] 20 programs starting at once end with one sidecar", async () => {
    const programs = Array.from({ length: 20 }, () => start([PROGRAM, "once"]));
    const lines = await Promise.all(programs.map(firstLine));
    await Promise.all(
      programs.map(async (child) => {
        if (child.exitCode === null) await once(child, "exit");
      }),
    );
    expect(programs.map(({ exitCode }) => exitCode)).toEqual(programs.map(() => 0));
    expect(new Set(lines.map(({ sidecarPid }) => sidecarPid)).size).toBe(1);
    const command = start([COMMAND, "exec", "--help"]);
    await once(command, "exit");
    expect(command.exitCode).toBe(0);
    await using os = await AgentOs.create({ name: "shared-with-command" });
    expect((await os.info()).sidecarPid).toBe(lines[0]?.sidecarPid);
    const run = start([
      COMMAND,
      "exec",
      "shared-with-command",
      "--",
      "touch",
      "/workspace/by-command",
    ]);
    await once(run, "exit");
    expect(run.exitCode).toBe(0);
    expect(await os.fs.exists("/workspace/by-command")).toBe(true);
  });

  test("[pool.recovery] [pool.lost] a killed sidecar is replaced, and its handles say so", async () => {
    const os = await AgentOs.create();
    const { sidecarPid, epoch } = await os.info();
    const marker = `sleep ${7_000_000 + process.pid}`;
    const pending = os.exec(marker);
    const settled = pending.then(
      () => undefined,
      (error: unknown) => error,
    );
    process.kill(sidecarPid, "SIGKILL");
    expect(await settled).toMatchObject({ code: "SIDECAR_LOST" });
    await expect(os.exec("true")).rejects.toMatchObject({ code: "SIDECAR_LOST" });
    await using next = await AgentOs.create();
    expect((await next.exec("echo again")).stdout).toBe("again\n");
    const info = await next.info();
    expect(info.sidecarPid).not.toBe(sidecarPid);
    expect(info.epoch).toBeGreaterThan(epoch);
    await os.dispose();
    await until(() => processesWith(marker).length === 0);
  });

  test("[lease.client-killed] a killed client leaves nothing after the grace", async () => {
    const marker = `sleep ${8_000_000 + process.pid}`;
    await using witness = await AgentOs.create();
    const before = new Set(files());
    const program = start([PROGRAM, "hold"], { MARKER: marker });
    await firstLine(program);
    await until(() => processesWith(marker).length > 0);
    expect((await AgentOs.list()).length).toBe(2);
    program.kill("SIGKILL");
    await once(program, "exit");
    await until(() => processesWith(marker).length === 0);
    expect((await AgentOs.list()).map(({ vmId }) => vmId)).toEqual([witness.id]);
    expect(files().filter((name) => !before.has(name))).toEqual([]);
  });
});
