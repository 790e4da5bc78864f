import { once } from "node:events";
import { chmod, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { AgentOsCommand } from "./agentos-command.ts";
import { jsonLines, waitForOutput } from "./output.ts";

let agentos: AgentOsCommand;
let project: string;

beforeAll(async () => {
  agentos = await AgentOsCommand.create();
  project = join(agentos.directory, "project");
  await mkdir(join(project, ".git"), { recursive: true });
  await writeFile(join(project, "notes.txt"), "one\ntwo\n");
  await writeFile(join(project, ".git", "HEAD"), "ref: refs/heads/main\n");
  await writeFile(join(project, "tool.sh"), "#!/bin/sh\necho tool $1\n");
  await chmod(join(project, "tool.sh"), 0o755);
  await symlink("notes.txt", join(project, "link"));
});

afterAll(async () => {
  await agentos[Symbol.asyncDispose]();
});

const run = (...args: string[]) => agentos.run(["run", ...args], { cwd: project });
const sh = (script: string) => run("--", "sh", "-c", script);

const listedVms = async () => JSON.stringify(await agentos.json(["ps"]));

describe("run", () => {
  test("streams stdout and stderr apart and passes exit code 0 on", async () => {
    expect(await sh("echo out; echo err >&2")).toEqual({
      exitCode: 0,
      stdout: "out\n",
      stderr: "err\n",
    });
  });

  test.each([1, 64, 124, 255])("passes exit code %i on", async (code) => {
    expect((await sh(`exit ${code}`)).exitCode).toBe(code);
  });

  test.each([
    ["TERM", 143],
    ["KILL", 137],
    ["SEGV", 139],
  ])("SIG%s of the guest is exit code %i", async (signal, code) => {
    expect((await sh(`kill -${signal} $$`)).exitCode).toBe(code);
  });

  test("works on a copy of the directory, hidden files, links and permissions included", async () => {
    const { stdout } = await sh(
      "cat .git/HEAD; readlink link; ./tool.sh x; echo changed > notes.txt; pwd",
    );
    expect(stdout).toBe("ref: refs/heads/main\nnotes.txt\ntool x\n/workspace\n");
    expect(await readFile(join(project, "notes.txt"), "utf8")).toBe("one\ntwo\n");
  });

  test("--no-copy begins with nothing", async () => {
    expect(await run("--no-copy", "--", "ls", "-A")).toEqual({
      exitCode: 0,
      stdout: "",
      stderr: "",
    });
  });

  test("--mount --read-only shows the directory itself, and can't write to it", async () => {
    const { stdout, exitCode } = await run(
      "--mount",
      "--read-only",
      "--",
      "sh",
      "-c",
      "cat notes.txt; echo x > new",
    );
    expect(stdout).toBe("one\ntwo\n");
    expect(exitCode).not.toBe(0);
  });

  test("--mount writes through to the directory", async () => {
    const owner = process.getuid?.() === 0 ? ["--map-owner"] : [];
    const { exitCode, stderr } = await run(
      "--mount",
      ...owner,
      "--",
      "sh",
      "-c",
      "echo made > made.txt",
    );
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(await readFile(join(project, "made.txt"), "utf8")).toBe("made\n");
  });

  test("standard input is passed on, to its end", async () => {
    const input = `${"x".repeat(200_000)}\n`;
    const { stdout } = await agentos.run(["run", "--no-copy", "--", "wc", "-c"], { input });
    expect(stdout.trim()).toBe("200001");
  });

  test("--no-stdin leaves standard input alone", async () => {
    const { stdout } = await agentos.run(["run", "--no-copy", "--no-stdin", "--", "cat"], {
      input: "unread",
    });
    expect(stdout).toBe("");
  });

  test("--env, --cwd and arguments arrive as they are", async () => {
    const { stdout } = await agentos.run(
      [
        "run",
        "--env",
        "A=1 2",
        "--env",
        "HERE",
        "--cwd",
        "/tmp",
        "--",
        "sh",
        "-c",
        'echo "$A|$HERE|$PWD|$1"',
        "sh",
        "--json $x",
      ],
      { cwd: project, env: { HERE: "host" } },
    );
    expect(stdout).toBe("1 2|host|/tmp|--json $x\n");
  });

  test("nothing else of this environment gets in", async () => {
    const { stdout } = await agentos.run(["run", "--no-copy", "--", "env"], {
      env: { SECRET: "canary" },
    });
    expect(stdout).not.toContain("canary");
    expect(stdout).not.toContain("AGENTOS_RUNTIME_DIR");
  });

  test("--timeout kills and is exit code 124", async () => {
    expect((await run("--timeout", "0.3", "--", "sleep", "60")).exitCode).toBe(124);
  });

  test("a program that is not there is 127, one that can't be run 126", async () => {
    const missing = await run("--", "no-such-program");
    expect(missing.exitCode).toBe(127);
    expect(missing.stderr).toMatch(/^agentos: .*no-such-program.*\n {9}\S.*\n$/);
    expect((await run("--", "./notes.txt")).exitCode).toBe(126);
  });

  test("a process left in the background keeps nobody waiting, and no output is lost", async () => {
    expect(await sh("sleep 300 & seq 1 20000 | tail -n 1")).toEqual({
      exitCode: 0,
      stdout: "20000\n",
      stderr: "",
    });
  });

  test("output is the guest's own until its end, to the byte", async () => {
    const { stdout } = await agentos.run([
      "run",
      "--no-copy",
      "--json",
      "--",
      "sh",
      "-c",
      "(sleep 300; echo never) & echo now",
    ]);
    const [text, end] = jsonLines(stdout).slice(-2);
    expect(text).toEqual({ event: "stdout", text: "now\n" });
    expect(end).toMatchObject({ channels: { stdout: { bytes: 4, open: true } } });
  });

  test("20 MB come through a pipe byte for byte", async () => {
    const { stdout } = await agentos.run(["run", "--no-copy", "--", "sh", "-c", "seq 1 2500000"]);
    expect(stdout.length).toBe(18_888_896);
    expect(stdout.endsWith("2499999\n2500000\n")).toBe(true);
  });

  test("limits hold or are said not to", async () => {
    const { exitCode, stdout, stderr } = await run(
      "--pids",
      "20",
      "--disk",
      "64m",
      "--",
      "echo",
      "ok",
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "ok\n" });
    expect(stderr).toMatch(/^(?:agentos: --(?:pids|disk) is .*on this machine\n)*$/);
  });

  test("with --json each line is an event, and the VM is gone afterwards", async () => {
    const { stdout, exitCode } = await run(
      "--json",
      "--",
      "sh",
      "-c",
      "echo out; echo err >&2; exit 3",
    );
    const events = jsonLines(stdout);
    expect(exitCode).toBe(3);
    expect(events[0]).toMatchObject({ event: "leased", driver: "linux" });
    expect(events[1]).toMatchObject({ event: "started" });
    expect(events).toContainEqual({ event: "stdout", text: "out\n" });
    expect(events).toContainEqual({ event: "stderr", text: "err\n" });
    expect(events.at(-1)).toMatchObject({
      event: "exited",
      exitCode: 3,
      signal: null,
      outcome: "exited",
    });
    expect(await agentos.json(["ps"])).toMatchObject({
      vms: expect.not.arrayContaining([expect.objectContaining({ vmId: events[0]?.["vmId"] })]),
    });
  });
});

describe("Ctrl-C in the middle", () => {
  test("ends the guest with SIGINT, the command with 130, and leaves no VM", async () => {
    const command = agentos.start([
      "run",
      "--no-copy",
      "--",
      "sh",
      "-c",
      "echo ready; exec sleep 300",
    ]);
    await waitForOutput(command.stdout, "ready");
    command.kill("SIGINT");
    const { exitCode } = await command.ended;
    expect(exitCode).toBe(130);
    expect(await listedVms()).toBe('{"running":true,"vms":[]}');
  });

  test("lets a guest that catches it end by itself", async () => {
    const script = "trap 'echo bye; exit 7' INT; echo ready; while :; do sleep 0.05; done";
    const command = agentos.start(["run", "--no-copy", "--", "sh", "-c", script]);
    await waitForOutput(command.stdout, "ready");
    command.kill("SIGINT");
    expect(await command.ended).toEqual({ exitCode: 7, stdout: "ready\nbye\n", stderr: "" });
  });

  test("the second one kills a guest that does not listen, and leaves no VM", async () => {
    const script = "trap 'echo no' INT; echo ready; while :; do sleep 0.05; done";
    const command = agentos.start(["run", "--no-copy", "--", "sh", "-c", script]);
    await waitForOutput(command.stdout, "ready");
    command.kill("SIGINT");
    await waitForOutput(command.stdout, "no");
    command.kill("SIGINT");
    expect((await command.ended).exitCode).toBe(130);
    expect(await listedVms()).toBe('{"running":true,"vms":[]}');
  });

  test("SIGTERM is passed on too", async () => {
    const command = agentos.start([
      "run",
      "--no-copy",
      "--",
      "sh",
      "-c",
      "echo ready; exec sleep 300",
    ]);
    await waitForOutput(command.stdout, "ready");
    command.kill("SIGTERM");
    expect((await command.ended).exitCode).toBe(143);
  });

  test("a reader that leaves ends the guest", async () => {
    const command = agentos.start(["run", "--no-copy", "--", "yes"]);
    await once(command.stdout, "data");
    command.stdout.destroy();
    expect((await command.ended).exitCode).toBe(141);
    expect(await listedVms()).toBe('{"running":true,"vms":[]}');
  });
});
