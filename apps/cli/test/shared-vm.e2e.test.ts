import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { AgentOsCommand } from "./agentos-command.ts";
import { jsonLines, waitForOutput } from "./output.ts";

let agentos: AgentOsCommand;

beforeAll(async () => {
  agentos = await AgentOsCommand.create();
  await agentos.run(["run", "--no-copy", "--name", "dev", "--", "sh", "-c", "echo made > by-run"]);
});

afterAll(async () => {
  await agentos[Symbol.asyncDispose]();
});

const exec = (...args: string[]) => agentos.run(["exec", ...args]);

describe("exec", () => {
  test("works in a named VM that another command left", async () => {
    expect(await exec("dev", "--", "cat", "by-run")).toEqual({
      exitCode: 0,
      stdout: "made\n",
      stderr: "",
    });
  });

  test("passes exit codes and signals on", async () => {
    expect((await exec("dev", "sh", "-c", "exit 9")).exitCode).toBe(9);
    expect((await exec("dev", "--", "sh", "-c", "kill -USR1 $$")).exitCode).toBe(138);
    expect((await exec("--timeout", "0.2", "dev", "--", "sleep", "60")).exitCode).toBe(124);
    expect((await exec("dev", "--", "no-such-program")).exitCode).toBe(127);
  });

  test("takes input, an environment and a directory", async () => {
    const args = [
      "exec",
      "--env",
      "X=y",
      "--cwd",
      "/tmp",
      "dev",
      "--",
      "sh",
      "-c",
      "cat; echo $X $PWD",
    ];
    expect((await agentos.run(args, { input: "in\n" })).stdout).toBe("in\ny /tmp\n");
  });

  test("a VM that is not there is 125, with two lines on stderr", async () => {
    const { exitCode, stderr } = await exec("nobody", "--", "true");
    expect(exitCode).toBe(125);
    expect(stderr).toMatch(/^agentos: .*nobody.*\n {9}See what there is with: agentos ps\n$/);
    const { stderr: json } = await exec("--json", "nobody", "--", "true");
    expect(JSON.parse(json)).toMatchObject({ error: { code: "NOT_FOUND" } });
  });

  test("Ctrl-C ends the process and not the VM", async () => {
    const command = agentos.start(["exec", "dev", "--", "sh", "-c", "echo ready; exec sleep 300"]);
    await waitForOutput(command.stdout, "ready");
    command.kill("SIGINT");
    expect((await command.ended).exitCode).toBe(130);
    expect((await exec("dev", "--", "true")).exitCode).toBe(0);
    expect((await agentos.run(["ps", "dev"])).stdout).not.toContain("sleep 300");
  });
});

describe("ps", () => {
  test("lists the VMs with name, id, driver, age and leases", async () => {
    const { stdout } = await agentos.run(["ps"]);
    const [title, row] = stdout.split("\n");
    expect(title?.split(/\s+/)).toEqual(["NAME", "VM", "DRIVER", "AGE", "LEASES"]);
    expect(row).toMatch(/^dev +[\w-]+ +linux +\d+[smh] +\d+$/);
    expect(await agentos.json(["ps"])).toMatchObject({ vms: [{ name: "dev", driver: "linux" }] });
  });

  test("--use shows what each VM uses of its limits, and gives it back", async () => {
    await exec("dev", "--", "sh", "-c", "head -c 3000000 /dev/zero > big");
    const { stdout, exitCode } = await agentos.run(["ps", "--use"]);
    expect(exitCode).toBe(0);
    const [title, row] = stdout.split("\n");
    expect(title?.trim()).toMatch(/ LEASES +MEMORY +PROCS +DISK +OUTPUT +NET +TTYS +CPU$/);
    // Brackets where this machine does not hold the limit: a named VM's disk is a directory of the host.
    expect(row).toMatch(
      / (?:[\d.]+[BKMG]|-)\/\(?4\.0G\)? +\d+\/2048 +[\d.]+[BKM]\/\(8\.0G\) +\S.*$/,
    );
    expect(await agentos.json(["ps", "--use"])).toMatchObject({
      vms: [{ name: "dev", use: { processes: expect.any(Number), diskBytes: expect.any(Number) } }],
    });
    expect(await agentos.json(["ps"])).toMatchObject({ vms: [{ name: "dev", leases: 0 }] });
    expect((await agentos.run(["ps"])).stdout).not.toContain("MEMORY");
    await exec("dev", "--", "rm", "big");
  });

  test("lists every process of a VM", async () => {
    const { stdout } = await exec("--detach", "dev", "--", "sleep", "301");
    const table = await agentos.run(["ps", "dev"]);
    expect(table.stdout).toMatch(new RegExp(`${stdout.trim()} +sleep 301`));
    expect(await agentos.json(["ps", "dev"])).toMatchObject({
      processes: expect.arrayContaining([expect.objectContaining({ command: "sleep 301" })]),
    });
  });
});

describe("logs", () => {
  test("--follow reads to the end of the process, stdout and stderr apart", async () => {
    const script = "echo one; echo two >&2; sleep 0.3; echo three";
    const { stdout: id } = await exec("--detach", "dev", "--", "sh", "-c", script);
    const { stdout, stderr, exitCode } = await agentos.run(["logs", "--follow", "dev", id.trim()]);
    expect({ stdout, stderr, exitCode }).toEqual({
      stdout: "one\nthree\n",
      stderr: "two\n",
      exitCode: 0,
    });
    const json = await agentos.run(["logs", "--json", "dev", id.trim()]);
    expect(jsonLines(json.stdout)).toContainEqual({ event: "stderr", text: "two\n" });
    expect(jsonLines(json.stdout).at(-1)).toMatchObject({
      event: "end",
      stdout: 10,
      stderr: 4,
      exit: { outcome: "exited", exitCode: 0 },
    });
  });

  test("without --follow it does not wait for a process that goes on", async () => {
    const { stdout: id } = await exec(
      "--detach",
      "dev",
      "--",
      "sh",
      "-c",
      "echo so far; exec sleep 302",
    );
    // It is there as soon as the process has written it.
    const logs = async (): Promise<string> =>
      (await agentos.run(["logs", "dev", id.trim()])).stdout;
    await expect.poll(logs, { timeout: 10_000 }).toBe("so far\n");
    const { stdout } = await agentos.run(["logs", "--json", "dev", id.trim()]);
    expect(jsonLines(stdout).at(-1)).toEqual({ event: "end", stdout: 7, stderr: 0 });
  });

  test("of an unknown process is 125", async () => {
    expect((await agentos.run(["logs", "dev", "no-such-process"])).exitCode).toBe(125);
  });
});

describe("cp", () => {
  test("takes a file in and out", async () => {
    const file = join(agentos.directory, "data.bin");
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256));
    await writeFile(file, bytes);
    expect(await agentos.run(["cp", "data.bin", "dev:"])).toEqual({
      exitCode: 0,
      stdout: "",
      stderr: "",
    });
    expect((await agentos.run(["cp", "dev:data.bin", "back.bin"])).exitCode).toBe(0);
    expect((await readFile(join(agentos.directory, "back.bin"))).equals(bytes)).toBe(true);
  });

  test("a directory goes into one that exists under its own name; its content with /.", async () => {
    await mkdir(join(agentos.directory, "tree", "sub"), { recursive: true });
    await writeFile(join(agentos.directory, "tree", "sub", "leaf"), "leaf\n");
    await agentos.run(["cp", "tree", "dev:/workspace"]);
    await agentos.run(["cp", "tree/.", "dev:flat"]);
    expect((await exec("dev", "--", "cat", "tree/sub/leaf", "flat/sub/leaf")).stdout).toBe(
      "leaf\nleaf\n",
    );
    await mkdir(join(agentos.directory, "out"));
    await agentos.run(["cp", "dev:tree/.", "out"]);
    expect(await readFile(join(agentos.directory, "out", "sub", "leaf"), "utf8")).toBe("leaf\n");
  });

  test("what is not there is 125, and names the path", async () => {
    const inward = await agentos.run(["cp", "missing.txt", "dev:"]);
    expect(inward.exitCode).toBe(125);
    expect(inward.stderr).toContain("missing.txt");
    const outward = await agentos.run(["cp", "dev:/no/such", "x"]);
    expect(outward.exitCode).toBe(125);
    expect(outward.stderr).toContain("/no/such");
  });
});
