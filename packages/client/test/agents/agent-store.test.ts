import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { arch, tmpdir } from "node:os";
import { join } from "node:path";

import { AGENT_PROGRAMS } from "@agentos/protocol";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { AgentStore } from "../../src/agents/agent-store.ts";
import { TestRegistry } from "./test-registry.ts";

const VENDOR = `codex-linux-${arch()}`;
const MACHINE = arch() === "x64" ? "x86_64" : "aarch64";

let stateDirectory: string;
let registry: TestRegistry;

beforeEach(async () => {
  stateDirectory = await mkdtemp(join(tmpdir(), "agentos-agents-"));
  registry = await TestRegistry.start();
  vi.stubEnv("npm_config_registry", registry.url);
  vi.stubEnv("npm_config_cache", join(stateDirectory, "npm"));
  vi.stubEnv("npm_config_fetch_retries", "0");
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await registry[Symbol.asyncDispose]();
  await rm(stateDirectory, { recursive: true, force: true });
});

async function publishCodex(version: string): Promise<void> {
  const vendored = `@openai/${VENDOR}`;
  await registry.publish(
    { name: vendored, version, os: ["linux"], cpu: [arch()] },
    { [`vendor/${MACHINE}-unknown-linux-musl/bin/codex`]: "#!/bin/sh\n" },
  );
  await registry.publish({
    name: "@openai/codex",
    version,
    optionalDependencies: { [vendored]: version, "@openai/codex-elsewhere": version },
    scripts: { postinstall: "touch ran" },
  });
}

test("[agent.store] what is installed can be listed and removed, versions side by side", async () => {
  await publishCodex("0.1.0");
  await publishCodex("0.10.0");
  const store = new AgentStore({ stateDirectory });
  const first = await store.install("codex@0.10.0");
  expect(first).toMatchObject({
    agent: "codex",
    package: "@openai/codex",
    version: "0.10.0",
    program: `node_modules/@openai/${VENDOR}/vendor/${MACHINE}-unknown-linux-musl/bin/codex`,
  });
  await store.install("codex@0.1.0");
  const codex = (await store.list()).find(({ agent }) => agent === "codex");
  expect(codex?.installed.map(({ version }) => version)).toEqual(["0.1.0", "0.10.0"]);
  const folder = join(store.directory, "codex", "0.10.0");
  expect((await stat(join(folder, first.program))).mode & 0o111).not.toBe(0);
  // Other users, as VMs of root are, can read it; no script of the package ran.
  expect((await stat(folder)).mode & 0o777).toBe(0o755);
  expect(await readdir(join(folder, "node_modules/@openai/codex"))).toEqual(["package.json"]);
  const asked = registry.asked.length;
  expect(await store.install("codex@0.10.0")).toEqual(first);
  expect(registry.asked.length).toBe(asked);

  expect(await store.remove("codex@0.1.0")).toMatchObject([{ version: "0.1.0" }]);
  await expect(store.remove("codex@0.1.0")).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect(await store.remove("codex")).toMatchObject([{ version: "0.10.0" }]);
  expect(await readdir(join(store.directory, "codex"))).toEqual([]);
});

test("[agent.store-verified] a package with another hash than this build knows is refused, and nothing of it stays", async () => {
  await publishCodex(AGENT_PROGRAMS.codex.version);
  const store = new AgentStore({ stateDirectory });
  await expect(store.install("codex")).rejects.toMatchObject({
    code: "INSTALL_FAILED",
    message: expect.stringContaining(AGENT_PROGRAMS.codex.integrity),
  });
  expect(await readdir(store.directory)).toEqual([]);
});

test("what can't be had is told with npm's reason, and nothing of it stays", async () => {
  await publishCodex("0.1.0");
  await registry.publish({ name: "opencode-ai", version: "1.0.0" });
  const store = new AgentStore({ stateDirectory });
  await expect(store.install("codex@9.9.9")).rejects.toMatchObject({
    code: "INSTALL_FAILED",
    details: { package: "@openai/codex@9.9.9", reason: expect.stringContaining("ETARGET") },
  });
  await expect(store.install("opencode@1.0.0")).rejects.toMatchObject({
    code: "INSTALL_FAILED",
    details: { reason: expect.stringContaining("it has none of") },
  });
  const gone = new AbortController();
  gone.abort();
  await expect(store.install("codex@0.1.0", { signal: gone.signal })).rejects.toMatchObject({
    code: "CANCELLED",
  });
  expect(await readdir(store.directory)).toEqual([]);
});

test.each(["nope", "codex@", "codex@../..", "codex@1 2", ""])("%j is no agent", async (name) => {
  const store = new AgentStore({ stateDirectory });
  await expect(store.install(name)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await expect(store.remove(name)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("[agent.store-atomic] what a killed install left, and what is not ours, is not taken for a version", async () => {
  await publishCodex("0.1.0");
  const store = new AgentStore({ stateDirectory });
  const left = join(store.directory, ".staging-killed");
  const foreign = join(store.directory, "codex", "0.0.1");
  await mkdir(left, { recursive: true });
  await mkdir(foreign, { recursive: true });
  await writeFile(join(foreign, "agentos.json"), '{"program":"/etc/passwd"}');
  await utimes(left, 1, 1);
  await store.install("codex@0.1.0");
  const codex = (await store.list()).find(({ agent }) => agent === "codex");
  expect(codex?.installed.map(({ version }) => version)).toEqual(["0.1.0"]);
  expect(await readdir(store.directory)).toEqual(["codex"]);
  expect(await readFile(join(foreign, "agentos.json"), "utf8")).toContain("passwd");
});
