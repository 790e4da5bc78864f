import { afterAll, beforeAll, expect, test } from "vitest";

import { AgentOsCommand } from "./agentos-command.ts";
import { jsonLines } from "./output.ts";

let agentos: AgentOsCommand;

beforeAll(async () => {
  agentos = await AgentOsCommand.create();
});

afterAll(async () => {
  await agentos[Symbol.asyncDispose]();
});

const BOMB =
  "const kept = []; for (let at = 0; at < 40; at++) kept.push(Buffer.alloc(10485760, 1))";
const RUN = ["run", "--no-copy", "--memory", "96m"];

test("ps starts no sidecar, and says that none runs", async () => {
  expect((await agentos.run(["ps"])).stdout).toBe("no VMs: no sidecar runs\n");
  expect(await agentos.json(["ps"])).toEqual({ running: false, vms: [] });
  expect((await agentos.run(["down"])).stdout).toMatch(/was not running\n$/);
});

test("[limited.command] a guest that a limit ends is told on stderr, with a shell's exit code", async () => {
  const { exitCode, stderr } = await agentos.run([...RUN, "--", "node", "-e", BOMB]);
  const isHeld = !stderr.includes("is not held");
  expect(exitCode).toBe(isHeld ? 137 : 0);
  const said = "agentos: ended by the limit memoryBytes of 96M: its VM is out of memory\n";
  expect(stderr.includes(said)).toBe(isHeld);
  const { stdout } = await agentos.run([...RUN, "--json", "--", "node", "-e", BOMB]);
  const end = isHeld ? { outcome: "limited", limit: { name: "memoryBytes" } } : {};
  expect(jsonLines(stdout).at(-1)).toMatchObject({ event: "exited", ...end });
});

test("rm ends a VM for good, once", async () => {
  await agentos.run(["run", "--no-copy", "--name", "dev", "--", "true"]);
  expect(await agentos.run(["rm", "dev"])).toEqual({
    exitCode: 0,
    stdout: "dev has ended\n",
    stderr: "",
  });
  expect((await agentos.run(["rm", "dev"])).stdout).toBe("dev had ended before\n");
  expect(await agentos.json(["rm", "dev"])).toEqual({ vm: "dev", ended: false });
  const unknown = await agentos.run(["rm", "nobody"]);
  expect([unknown.exitCode, unknown.stdout]).toEqual([125, ""]);
  expect(unknown.stderr).toMatch(/^agentos: no VM nobody\n/);
});
