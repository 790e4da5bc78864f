import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync, chmodSync } from "node:fs";
import { join } from "node:path";

import { AgentOs, disposeSharedSidecars } from "@agentos/client";
import { afterEach, beforeEach, expect, test } from "vitest";

import {
  prepareFolder,
  runtimeDirectory,
  sidecarFolder,
  stateDirectory,
} from "../../src/sidecar/runtime-directory.ts";
import { ScriptedSidecar, temporaryDirectory } from "../scripted-sidecar.ts";

const sidecarPath = join(import.meta.dirname, "../fixtures/scripted-main.mjs");
const program = join(import.meta.dirname, "../fixtures/program.ts");
let directory: ReturnType<typeof temporaryDirectory>;

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await disposeSharedSidecars();
  directory[Symbol.dispose]();
});

test("programs that start at once converge on one sidecar", async () => {
  const env = {
    PATH: process.env["PATH"],
    AGENTOS_RUNTIME_DIR: join(directory.path, "run"),
    AGENTOS_STATE_DIR: join(directory.path, "state"),
  };
  const children = Array.from({ length: 6 }, () =>
    spawn(process.execPath, ["--conditions=@agentos/source", program, sidecarPath], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    }),
  );
  const outputs = await Promise.all(
    children.map(async (child) => {
      let text = "";
      child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
      await once(child, "close");
      return [child.exitCode, text.trim()] as const;
    }),
  );
  expect(outputs.map(([code]) => code)).toEqual(children.map(() => 0));
  const pids = new Set(outputs.map(([, pid]) => pid));
  expect(pids.size).toBe(1);
  for (const pid of pids) process.kill(Number(pid), "SIGKILL");
});

test("a discovery file of a dead sidecar, or half of one, is passed over", async () => {
  const run = join(directory.path, "run");
  const folder = await prepareFolder(run, sidecarFolder("pool", "default"));
  const sidecar = await AgentOs.getSharedSidecar({
    runtimeDirectory: run,
    sidecarPath: "/nonexistent/main.js",
  });
  for (const content of ["", "{", "{}", readFileSync(import.meta.filename, "utf8")]) {
    writeFileSync(join(folder, "sidecar.json"), content);
    await expect(AgentOs.create({ sidecar })).rejects.toMatchObject({ code: "SIDECAR_NOT_FOUND" });
  }
  const dead = await ScriptedSidecar.listen({ runtimeDirectory: run });
  await dead.die();
  await expect(AgentOs.create({ sidecar })).rejects.toMatchObject({ code: "SIDECAR_NOT_FOUND" });
  await using alive = await ScriptedSidecar.listen({ runtimeDirectory: run });
  await using os = await AgentOs.create({ sidecar });
  expect(alive.connections.length).toBe(1);
  expect((await os.info()).vmId).toBe(os.id);
});

test("a sidecar that ends under a create is replaced by the next one", async () => {
  const run = join(directory.path, "run");
  const first = await ScriptedSidecar.listen({
    runtimeDirectory: run,
    handlers: (connection) => ({
      "vm.create": async () => {
        connection.destroy();
        return await new Promise<never>(() => {});
      },
    }),
  });
  const sidecar = await AgentOs.getSharedSidecar({ runtimeDirectory: run, sidecarPath });
  const creation = AgentOs.create({ sidecar });
  while (!first.requests.includes("vm.create"))
    await new Promise((resolve) => setImmediate(resolve));
  await first.die();
  await using second = await ScriptedSidecar.listen({ runtimeDirectory: run });
  await using os = await creation;
  expect(second.requests).toContain("vm.create");
  expect((await os.info()).sidecarId).toBe("scripted");
});

test("a lease whose connection dropped goes on over another one", async () => {
  await using server = await ScriptedSidecar.listen({
    runtimeDirectory: directory.path,
    handlers: () => ({
      "lease.resume": ({ leaseId, vmId, fence }) => ({ leaseId, vmId, fence, ttlMs: 0 }),
    }),
  });
  const sidecar = await AgentOs.getSharedSidecar({ runtimeDirectory: directory.path });
  await using os = await AgentOs.create({ sidecar });
  await using other = await AgentOs.create({ sidecar });
  const pending = os.exec("sleep 1000").catch((reason: unknown) => reason);
  await os.info();
  server.connections[0]?.destroy();
  expect([(await os.info()).vmId, (await other.info()).vmId]).toEqual([os.id, other.id]);
  expect(await pending).toMatchObject({ code: "UNSUPPORTED" });
  expect(server.connections.length).toBe(2);
  expect(server.requests.filter((method) => method === "lease.resume").length).toBe(2);
});

test("the runtime directory is refused where others may enter it, or it is a link or too long", async () => {
  const run = join(directory.path, "run");
  mkdirSync(run, { mode: 0o755 });
  chmodSync(run, 0o755);
  await expect(prepareFolder(run, "p-1")).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("expected mode 0700, got mode 0755"),
  });
  chmodSync(run, 0o700);
  symlinkSync(directory.path, join(run, "p-1"));
  await expect(prepareFolder(run, "p-1")).rejects.toMatchObject({
    message: expect.stringContaining("expected a directory"),
  });
  await expect(prepareFolder(`/tmp/${"x".repeat(80)}`, "p-1")).rejects.toMatchObject({
    message: expect.stringContaining("52 bytes"),
  });
  expect(await prepareFolder(run, "p-2")).toBe(join(run, "p-2"));
});

test("a runtime directory that can't be made is refused, at once", async () => {
  const file = join(directory.path, "file");
  writeFileSync(file, "");
  for (const path of ["/proc/no-such/run", join(file, "run"), "/proc/run"]) {
    await expect(prepareFolder(path, "p-1")).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(/expected a directory that can be made, got E\w+/),
      details: { argument: "runtimeDirectory" },
    });
  }
  expect(await prepareFolder(join(directory.path, "a/b"), "p-1")).toBe(
    join(directory.path, "a/b/p-1"),
  );
});

test("directories come from the option, then the environment, then the system's own places", () => {
  const names = [
    "AGENTOS_RUNTIME_DIR",
    "AGENTOS_STATE_DIR",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
  ] as const;
  const saved = names.map((name) => [name, process.env[name]] as const);
  try {
    for (const name of names) delete process.env[name];
    expect(runtimeDirectory(undefined)).toMatch(/\/agentos-\d+$/);
    expect(stateDirectory(undefined)).toMatch(/\/\.local\/state\/agentos$/);
    process.env["XDG_RUNTIME_DIR"] = "/run/user/7";
    process.env["XDG_STATE_HOME"] = "/home/x/state";
    expect([runtimeDirectory(undefined), stateDirectory(undefined)]).toEqual([
      "/run/user/7/agentos",
      "/home/x/state/agentos",
    ]);
    process.env["AGENTOS_RUNTIME_DIR"] = "/a";
    process.env["AGENTOS_STATE_DIR"] = "/b";
    expect([runtimeDirectory(undefined), stateDirectory(undefined)]).toEqual(["/a", "/b"]);
    expect([runtimeDirectory("/c"), stateDirectory("/d")]).toEqual(["/c", "/d"]);
  } finally {
    for (const [name, value] of saved) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
});
