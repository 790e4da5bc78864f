import { expect, test } from "vitest";

import { PackedRegistry } from "../src/packed-registry.ts";

const VIRTUAL = `import { AgentOs } from "@agentos/client";
const sidecar = await AgentOs.createSidecar();
try {
  const os = await AgentOs.create({ sidecar, driver: "virtual" });
  const { stdout } = await os.exec("echo hi | tr a-z A-Z");
  console.log(stdout.trim());
} catch (error) {
  console.log(error.code, error.details.remedy);
}
await sidecar.dispose();
`;

test("[pack.optional-peer] a driver whose optional peer is missing says the line to type, and after it works", async () => {
  await using packed = await PackedRegistry.make({ optionalPeers: true });
  await using folder = await packed.install("@agentos/client", "@agentos/sidecar");
  await folder.write("virtual.mjs", VIRTUAL);
  const missing = await folder.node(process.execPath, "virtual.mjs");
  expect(missing).toMatchObject({ stderr: "", stdout: expect.stringContaining("npm install ") });
  const [, code, line] = /^(\S+) npm install (\S+)$/.exec(missing.stdout) ?? [];
  expect(code).toBe("DRIVER_UNAVAILABLE");
  expect((await folder.npmInstall(line ?? "")).exitCode).toBe(0);
  expect(await folder.node(process.execPath, "virtual.mjs")).toEqual({
    exitCode: 0,
    stdout: "HI",
    stderr: "",
  });
});
