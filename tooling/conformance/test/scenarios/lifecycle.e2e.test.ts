import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { AgentOs } from "@agentos/client";
import { describe, expect, test } from "vitest";

import { filesIn, hasNoStraySocket, processesWith, until, useWorld } from "./world.ts";

const world = useWorld();
const PROGRAM = join(import.meta.dirname, "program.ts");
const COMMAND = createRequire(import.meta.url).resolve("@agentos/cli/dist/bin/agentos.js");

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

/** The VM's first process: the ancestor of a guest's process that is number 1 in its own namespace. */
function initOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const inner = /^NSpid:.*?(\d+)$/m.exec(status)?.[1];
  return inner === "1" ? pid : initOf(Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]));
}

/** A VM with a name outlives its leases, also those of the tests before. */
async function unnamed(): Promise<string[]> {
  const vms = await AgentOs.list();
  return vms.filter(({ name }) => name === undefined).map(({ vmId }) => vmId);
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

  test("[pool.recovery] after kill -9 of the sidecar the next call works with no help", async () => {
    await using os = await AgentOs.create();
    const { sidecarPid, epoch } = await os.info();
    process.kill(sidecarPid, "SIGKILL");
    await using next = await AgentOs.create();
    expect((await next.exec("echo again")).stdout).toBe("again\n");
    const info = await next.info();
    expect(info.sidecarPid).not.toBe(sidecarPid);
    expect(info.epoch).toBeGreaterThan(epoch);
  });

  test("[pool.lost] a handle whose VM went with its sidecar says so at once", async () => {
    const os = await AgentOs.create();
    const { sidecarPid } = await os.info();
    const marker = `sleep ${7_000_000 + process.pid}`;
    const settled = os.exec(["sh", "-c", `${marker}; true`]).then(
      () => undefined,
      (error: unknown) => error,
    );
    await until(() => processesWith(marker).length > 0);
    const init = initOf(Math.min(...processesWith(marker)));
    process.kill(sidecarPid, "SIGKILL");
    process.kill(init, "SIGKILL");
    expect(await settled).toMatchObject({ code: "SIDECAR_LOST" });
    await expect(os.exec("true")).rejects.toMatchObject({ code: "SIDECAR_LOST" });
    await os.dispose();
    await until(() => processesWith(marker).length === 0);
  });

  test("[lease.client-killed] a killed client leaves nothing after the grace", async () => {
    const marker = `sleep ${8_000_000 + process.pid}`;
    await using witness = await AgentOs.create();
    const run = join(world.directory, "run");
    const before = new Set(filesIn(run));
    const program = start([PROGRAM, "hold"], { MARKER: marker });
    await firstLine(program);
    await until(() => processesWith(marker).length > 0);
    expect((await unnamed()).length).toBe(2);
    program.kill("SIGKILL");
    await once(program, "exit");
    await until(() => processesWith(marker).length === 0);
    expect(await unnamed()).toEqual([witness.id]);
    await until(() => hasNoStraySocket(run));
    expect(filesIn(run).filter((name) => !before.has(name))).toEqual([]);
  });
});
