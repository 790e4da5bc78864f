import { mkdir } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { AgentOsCommand } from "./agentos-command.ts";

test("where VMs can be made, doctor says what holds and exits with 0", async () => {
  await using agentos = await AgentOsCommand.create();
  const { exitCode, stdout, stderr } = await agentos.run(["doctor"]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(stdout).toContain(`node      ${process.versions.node}\n`);
  expect(stdout).toContain(`runtime   ${agentos.env["AGENTOS_RUNTIME_DIR"]}: usable\n`);
  expect(stdout).toMatch(/^driver linux \(isolation: namespaces\) works$/m);
  expect(stdout).toMatch(/^driver virtual \(isolation: none: .*no security boundary\) works$/m);
  expect(stdout).toMatch(/^ {2}diskBytes +hard$/m);
  expect(stdout).toMatch(/\nVMs can be made here\. .*\n$/);
  expect(await agentos.json(["doctor"])).toMatchObject({
    ok: true,
    node: process.versions.node,
    directories: { state: { path: agentos.env["AGENTOS_STATE_DIR"], usable: true } },
    drivers: [
      { driver: "linux", available: true, limits: { pids: { enforcement: "hard" } } },
      { driver: "virtual", available: true, limits: { cpus: { enforcement: "none" } } },
    ],
  });
  expect(await agentos.json(["ps"])).toEqual({ running: true, vms: [] });
});

test("where none can be made, it says why and what to do, and exits with 1", async () => {
  await using agentos = await AgentOsCommand.create();
  const script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"';
  const wrapper = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"];
  const { exitCode, stdout, stderr } = await agentos.run(["doctor"], { wrapper });
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: "" });
  expect(stdout).toMatch(/^driver linux .* does not work: user namespaces are switched off/m);
  expect(stdout).toMatch(/^ +-> set the sysctl user\.max_user_namespaces/m);
  expect(stdout).toContain("agentos run --driver virtual");
  const json = await agentos.run(["doctor", "--json"], { wrapper });
  expect(json.exitCode).toBe(1);
  expect(JSON.parse(json.stdout)).toMatchObject({
    ok: false,
    drivers: [
      { available: false, reason: expect.any(String), remedy: expect.any(String) },
      { driver: "virtual", available: true },
    ],
  });
});

test("without a usable directory it says which, and does not wait for a sidecar", async () => {
  await using agentos = await AgentOsCommand.create();
  const nowhere = "/proc/no-such-directory";
  const runtime = await agentos.run(["doctor"], { env: { AGENTOS_RUNTIME_DIR: nowhere } });
  expect(runtime.exitCode).toBe(1);
  expect(runtime.stdout).toContain(`runtime   ${nowhere}: not usable: ENOENT`);
  expect(runtime.stdout).toMatch(/^ +-> set AGENTOS_RUNTIME_DIR /m);
  const state = await agentos.run(["doctor"], { env: { AGENTOS_STATE_DIR: nowhere } });
  expect(state.exitCode).toBe(1);
  expect(state.stdout).toContain(`state     ${nowhere}: not usable: ENOENT`);
  expect(state.stdout).toMatch(/^sidecar {3}not reached: the sidecar did not start: /m);
});

test("the directories that it names are those that the sidecar uses", async () => {
  await using agentos = await AgentOsCommand.create();
  const xdg = join(agentos.directory, "xdg");
  await mkdir(xdg);
  const env = {
    AGENTOS_RUNTIME_DIR: "",
    AGENTOS_STATE_DIR: "",
    XDG_RUNTIME_DIR: xdg,
    XDG_STATE_HOME: join(xdg, "state"),
  };
  await agentos.run(["up"], { env });
  await using running = {
    [Symbol.asyncDispose]: async () => void (await agentos.run(["down"], { env })),
  };
  expect(running).toBeDefined();
  const [runtime, state] = [join(xdg, "agentos"), join(xdg, "state", "agentos")];
  expect([runtime, state].map((path) => existsSync(path))).toEqual([true, true]);
  const { stdout } = await agentos.run(["doctor", "--json"], { env });
  expect(JSON.parse(stdout)).toMatchObject({
    directories: { runtime: { path: runtime }, state: { path: state } },
  });
});
