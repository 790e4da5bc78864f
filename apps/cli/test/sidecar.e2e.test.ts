import { readFile } from "node:fs/promises";

import { execa } from "execa";
import { expect, test } from "vitest";

import { AgentOsCommand } from "./agentos-command.ts";

test("up keeps one sidecar, run uses it, down ends it and its VMs", async () => {
  await using agentos = await AgentOsCommand.create();
  const up = await agentos.json(["up"]);
  expect(up).toMatchObject({
    pool: "default",
    keep: true,
    sidecarId: "agent-os-shared-sidecar:default",
  });
  const { stdout } = await agentos.run(["up"]);
  expect(stdout).toMatch(
    /^agent-os-shared-sidecar:default is up: pid \d+, 0 VMs, \d+s old\n {2}driver linux: /,
  );
  expect(await agentos.json(["up"])).toMatchObject({ pid: pidOf(up) });

  expect((await agentos.run(["run", "--no-copy", "--name", "a", "--", "true"])).exitCode).toBe(0);
  expect(await agentos.json(["ps"])).toMatchObject({ vms: [{ name: "a", sidecarPid: pidOf(up) }] });

  expect(await agentos.json(["down"])).toEqual({
    sidecarId: "agent-os-shared-sidecar:default",
    ended: true,
  });
  await expect.poll(() => isAlive(pidOf(up)), { timeout: 10_000 }).toBe(false);
  const again = await agentos.run(["down"]);
  expect(again).toEqual({
    exitCode: 0,
    stdout: "agent-os-shared-sidecar:default was not running\n",
    stderr: "",
  });
});

test("[session.transcript-bound] how much transcripts may take is said at the start, and not changed under a running sidecar", async () => {
  await using agentos = await AgentOsCommand.create();
  const up = await agentos.json(["up", "--transcripts", "64m"]);
  expect(up).toMatchObject({ keep: true, transcriptBytes: 64 * 1024 * 1024 });
  const other = await agentos.run(["up", "--transcripts", "32m"]);
  expect(other).toMatchObject({ exitCode: 125, stdout: "" });
  expect(other.stderr).toContain("--transcripts: expected 64.0 MiB, as the sidecar that is up");
  expect(await agentos.json(["up", "--transcripts", "65536k"])).toEqual(
    expect.objectContaining({ pid: pidOf(up) }),
  );
  const wrong = await agentos.run(["up", "--transcripts", "many"]);
  expect(wrong).toMatchObject({ exitCode: 64 });
});

test("pools are apart", async () => {
  await using agentos = await AgentOsCommand.create();
  await using other = {
    [Symbol.asyncDispose]: async () => void (await agentos.run(["down", "--pool", "other"])),
  };
  expect(other).toBeDefined();
  const [first, second] = await Promise.all([
    agentos.json(["up"]),
    agentos.json(["up", "--pool", "other"]),
  ]);
  expect(pidOf(first)).not.toBe(pidOf(second));
  await agentos.run(["run", "--pool", "other", "--no-copy", "--name", "a", "--", "true"]);
  expect(await agentos.json(["ps"])).toEqual({ running: true, vms: [] });
  expect(await agentos.json(["ps", "--pool", "other"])).toMatchObject({ vms: [{ name: "a" }] });
});

test("five commands at once share one sidecar", async () => {
  await using agentos = await AgentOsCommand.create();
  const ends = await Promise.all(
    Array.from({ length: 5 }, () =>
      agentos.run([
        "run",
        "--json",
        "--no-copy",
        "--name",
        `vm-${crypto.randomUUID()}`,
        "--",
        "true",
      ]),
    ),
  );
  expect(ends.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0, 0]);
  const vms = JSON.stringify(await agentos.json(["ps"]));
  expect(new Set(vms.match(/"sidecarPid":\d+/g)).size).toBe(1);
  expect(vms.match(/"vmId"/g)).toHaveLength(5);
});

test("after kill -9 of the sidecar the next command works", async () => {
  await using agentos = await AgentOsCommand.create();
  process.kill(pidOf(await agentos.json(["up"])), "SIGKILL");
  expect(await agentos.run(["run", "--no-copy", "--", "echo", "again"])).toEqual({
    exitCode: 0,
    stdout: "again\n",
    stderr: "",
  });
});

test("a command that reads no output directory of its own refuses one that others can enter", async () => {
  await using agentos = await AgentOsCommand.create();
  await execa("mkdir", ["-m", "755", agentos.env["AGENTOS_RUNTIME_DIR"] ?? ""]);
  const { exitCode, stderr } = await agentos.run(["up"]);
  expect(exitCode).toBe(125);
  expect(stderr).toMatch(/^agentos: .*0700.*\n {9}\S.*\n$/);
  expect(stderr).not.toContain("    at ");
});

function pidOf(info: unknown): number {
  if (typeof info === "object" && info !== null && "pid" in info && typeof info.pid === "number")
    return info.pid;
  throw new Error(`expected a pid, got ${JSON.stringify(info)}`);
}

/** A process that has ended may wait as a zombie for its new parent. */
async function isAlive(pid: number): Promise<boolean> {
  try {
    return !/\) [ZX] /.test(await readFile(`/proc/${pid}/stat`, "utf8"));
  } catch {
    // No such process any more.
    return false;
  }
}
