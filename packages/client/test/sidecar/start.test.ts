import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import {
  AgentOs,
  type CreateSidecarOptions,
  disposeSharedSidecars,
  isAgentOsError,
} from "@agentos/client";
import { afterEach, beforeEach, expect, test } from "vitest";

import { temporaryDirectory } from "../scripted-sidecar.ts";

const sidecarPath = join(import.meta.dirname, "../fixtures/scripted-main.mjs");
let directory: ReturnType<typeof temporaryDirectory>;
let started: number[] = [];

beforeEach(() => {
  directory = temporaryDirectory();
  started = [];
});
afterEach(async () => {
  await disposeSharedSidecars();
  for (const pid of started) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  directory[Symbol.dispose]();
});

const options = (): CreateSidecarOptions => ({
  sidecarPath,
  runtimeDirectory: join(directory.path, "run"),
  stateDirectory: join(directory.path, "state"),
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[2] !== "Z";
  } catch {
    // No such process.
    return false;
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function pidOf(os: AgentOs): Promise<number> {
  const { sidecarPid } = await os.info();
  started.push(sidecarPid);
  return sidecarPid;
}

/** Processes of this machine that run the scripted bin for this test's directory: none has its own name to look for. */
function children(): string[] {
  return readdirSync(`/proc/${process.pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${process.pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean),
  );
}

test("[P25] the process starts with the first VM and not before", async () => {
  const sidecar = await AgentOs.createSidecar(options());
  expect(existsSync(join(directory.path, "run"))).toBe(false);
  await using os = await AgentOs.create({ sidecar });
  expect(isAlive(await pidOf(os))).toBe(true);
});

test("[P26] concurrent first callers cause one process", async () => {
  const sidecar = await AgentOs.createSidecar(options());
  const all = await Promise.all(Array.from({ length: 8 }, () => AgentOs.create({ sidecar })));
  expect(new Set(await Promise.all(all.map(pidOf))).size).toBe(1);
  await sidecar.dispose();
});

test("[P34] [session.case-87] a failed start leaves no process and an empty slot, and the error has the last words of stderr", async () => {
  const before = children();
  const cases = [
    ["exits", /ended before it was ready \(exit code 3\)/, ["first line", "the reason is here"]],
    ["refuses", /DRIVER_UNAVAILABLE: nothing works here/, ["mode refuses"]],
    ["garbage", /claims \d+ bytes/, ["mode garbage"]],
  ] as const;
  for (const [sidecarId, message, lines] of cases) {
    const sidecar = await AgentOs.createSidecar({ ...options(), sidecarId });
    const error: unknown = await AgentOs.create({ sidecar }).catch((reason: unknown) => reason);
    if (!isAgentOsError(error, "SIDECAR_START_FAILED")) throw error;
    expect(error.message).toMatch(message);
    expect(error.details.stderr).toEqual(expect.arrayContaining([...lines]));
    expect(children()).toEqual(before);
    expect(sidecar.describe()).toMatchObject({ state: "ready", activeVmCount: 0 });
    await expect(AgentOs.create({ sidecar })).rejects.toMatchObject({
      code: "SIDECAR_START_FAILED",
    });
  }
});

test("[P34] a sidecar that is ready but refuses its own key does not survive", async () => {
  const before = children();
  const sidecar = await AgentOs.createSidecar({ ...options(), sidecarId: "unreachable" });
  await expect(AgentOs.create({ sidecar })).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  expect(children()).toEqual(before);
});

test("[P36] [P37] [U4] an explicit sidecar's process ends with its last VM; the handle stays ready and starts another", async () => {
  const sidecar = await AgentOs.createSidecar(options());
  const first = await AgentOs.create({ sidecar });
  const second = await AgentOs.create({ sidecar });
  const pid = await pidOf(first);
  await first.dispose();
  expect(isAlive(pid)).toBe(true);
  await second.dispose();
  expect(isAlive(pid)).toBe(false);
  expect(sidecar.describe().state).toBe("ready");
  const third = await AgentOs.create({ sidecar });
  const next = await pidOf(third);
  expect(next).not.toBe(pid);
  await sidecar.dispose();
  expect(isAlive(next)).toBe(false);
  expect(readdirSync(join(directory.path, "run"))).toEqual([]);
});

test("[U5] a dead sidecar's leases fail typed and at once, and the next create starts another", async () => {
  const sidecar = await AgentOs.createSidecar(options());
  const os = await AgentOs.create({ sidecar });
  const pid = await pidOf(os);
  // The scripted sidecar never answers an exec.
  const pending = os.exec("sleep 1000").catch((reason: unknown) => reason);
  await os.info();
  process.kill(pid, "SIGKILL");
  expect(await pending).toMatchObject({ code: "SIDECAR_LOST", details: { vmId: os.id } });
  await expect(os.info()).rejects.toMatchObject({ code: "SIDECAR_LOST" });
  await using next = await AgentOs.create({ sidecar });
  expect(await pidOf(next)).not.toBe(pid);
  await os.dispose();
  expect(sidecar.describe()).toMatchObject({ state: "ready", activeVmCount: 1 });
});

test("a sidecar is told nothing of the program's environment but a few names, and logs to a private file", async () => {
  const sidecar = await AgentOs.createSidecar(options());
  await using os = await AgentOs.create({ sidecar });
  await pidOf(os);
  const run = join(directory.path, "run");
  const [folder = ""] = readdirSync(run);
  const log = join(run, folder, "sidecar.log");
  const [, names = ""] = /^environment (.*)$/m.exec(readFileSync(log, "utf8")) ?? [];
  expect(
    names
      .split(" ")
      .filter((name) => !/^(PATH|HOME|TMPDIR|LANG|XDG_\w+|NODE_COMPILE_CACHE)$/.test(name)),
  ).toEqual([]);
  expect([run, join(run, folder), log].map((path) => statSync(path).mode & 0o777)).toEqual([
    0o700, 0o700, 0o600,
  ]);
});

test("a shared sidecar outlives its programs' handles and is found again", async () => {
  const sidecar = await AgentOs.getSharedSidecar({ ...options(), idleMs: 20_000 });
  const os = await AgentOs.create({ sidecar });
  const pid = await pidOf(os);
  await sidecar.dispose();
  expect(isAlive(pid)).toBe(true);
  const again = await AgentOs.getSharedSidecar(options());
  expect(again).not.toBe(sidecar);
  await using other = await AgentOs.create({ sidecar: again });
  expect(await pidOf(other)).toBe(pid);
});

test("a shared sidecar that was killed is replaced without help", async () => {
  const sidecar = await AgentOs.getSharedSidecar(options());
  const os = await AgentOs.create({ sidecar });
  const pid = await pidOf(os);
  process.kill(pid, "SIGKILL");
  await until(() => !isAlive(pid));
  await using next = await AgentOs.create({ sidecar });
  expect(await pidOf(next)).not.toBe(pid);
  await expect(os.exec("true")).rejects.toMatchObject({ code: "SIDECAR_LOST" });
});

test("a missing sidecar says where it was searched and what to type", async () => {
  const sidecar = await AgentOs.createSidecar({
    ...options(),
    sidecarPath: "/nonexistent/main.js",
  });
  await expect(AgentOs.create({ sidecar })).rejects.toMatchObject({
    code: "SIDECAR_NOT_FOUND",
    details: { searched: ["/nonexistent/main.js"], install: "npm install @agentos/sidecar" },
  });
});
