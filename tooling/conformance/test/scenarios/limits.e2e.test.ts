import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { AgentOs, isAgentOsError, type LimitHit } from "@agentos/client";
import { describe, expect, test } from "vitest";

import { processesWith, useWorld } from "./world.ts";

const MIB = 1024 * 1024;
const WATCH =
  'for (let at = 1; at < 7; at++) require("fs").watch(String(at)); setImmediate(() => process.exit(0))';

useWorld();

/** Takes `mib` of memory, 10 at a time. */
function memoryBomb(mib: number): string[] {
  const loop = `for (let at = 0; at < ${mib}; at += 10) kept.push(Buffer.alloc(10485760, 1));`;
  return ["node", "-e", `const kept = []; ${loop} console.log("all of it")`];
}

async function hard(os: AgentOs, limit: "memoryBytes" | "cpus"): Promise<boolean> {
  const { limits } = await os.info();
  return limits[limit].enforcement === "hard";
}

function listened(os: AgentOs): LimitHit[] {
  const hits: LimitHit[] = [];
  os.onLimit((hit) => hits.push(hit));
  return hits;
}

describe("a VM's limits", () => {
  test("[limits.truth] the VM and the driver's report say the same of each", async () => {
    await using os = await AgentOs.create({ limits: { pids: 64, memoryBytes: 256 * MIB } });
    const sidecar = await AgentOs.getSharedSidecar();
    const { drivers } = await sidecar.info();
    const report = drivers.find(({ driver }) => driver === "linux")?.limits;
    const { limits } = await os.info();
    const said = { ...limits, wallMs: { enforcement: "hard" } };
    const enforcements = Object.entries(said).map(([name, state]) => [name, state.enforcement]);
    // Of no driver: the sidecar holds these itself.
    const itsOwn = {
      networkConnections: "hard",
      networkBytes: "soft",
      outputBytes: "hard",
      outputRate: "soft",
      terminals: "hard",
    };
    expect(Object.fromEntries(enforcements)).toEqual({ ...report, ...itsOwn });
    expect(limits.pids).toEqual({ value: 64, enforcement: "hard" });
    expect(limits.memoryBytes.value).toBe(256 * MIB);
    expect(limits.cpus.value).toBe(null);
  });

  test("[limits.memory] a memory bomb ends; its VM and the neighbour go on", async () => {
    await using os = await AgentOs.create({ limits: { memoryBytes: 256 * MIB } });
    await using neighbour = await AgentOs.create();
    const isHard = await hard(os, "memoryBytes");
    const hits = listened(os);
    await os.exec("echo kept > /workspace/file");
    const bombing = os.exec(memoryBomb(600));
    expect((await neighbour.exec("echo here")).stdout).toBe("here\n");
    const { outcome, signal, stdout } = await bombing;
    expect(stdout).toBe(isHard ? "" : "all of it\n");
    expect([outcome, signal]).toEqual(isHard ? ["limited", "SIGKILL"] : ["exited", null]);
    const told = isHard ? [{ limit: "memoryBytes", value: 256 * MIB }] : [];
    await expect.poll(() => hits, { timeout: 10_000 }).toEqual(told);
    expect((await os.exec("cat /workspace/file")).stdout).toBe("kept\n");
    expect((await neighbour.exec("echo here")).stdout).toBe("here\n");
  });

  test("[limits.live] limits of a live VM are changed, or refused by name", async () => {
    const limits = { memoryBytes: 512 * MIB, diskBytes: 64 * MIB, pids: 100, cpus: 1 };
    await using os = await AgentOs.create({ limits });
    const changes = { memoryBytes: 200 * MIB, pids: 40, cpus: 0.5 };
    const isHard = await hard(os, "memoryBytes");
    const changed = await os.setLimits(changes).then(
      ({ limits: now }) => [now.memoryBytes.value, now.pids.value, now.cpus.value],
      (error: unknown) => isAgentOsError(error, "UNSUPPORTED_LIMIT") && error.details.limit,
    );
    expect(changed).toEqual(isHard ? [200 * MIB, 40, 0.5] : "memoryBytes");
    const { outcome } = await os.exec(memoryBomb(400));
    expect(outcome).toBe(isHard ? "limited" : "exited");
    for (const refused of [
      { openFiles: 100 },
      { wallMs: 5 },
      { cpus: 2 },
      { pids: 101 },
      { memoryBytes: 40 * MIB },
    ]) {
      const [limit] = Object.keys(refused);
      const setting = os.setLimits({ ...refused });
      await expect(setting).rejects.toMatchObject({
        code: "UNSUPPORTED_LIMIT",
        details: { limit },
      });
    }
    const before = (await os.info()).limits;
    // The first that can't be had is named.
    const named = isHard ? /openFiles/ : /^pids /;
    await expect(os.setLimits({ pids: 30, openFiles: 100 })).rejects.toThrow(named);
    expect((await os.info()).limits).toEqual(before);
    const raised = await os.setLimits({ memoryBytes: 600 * MIB }).catch(() => undefined);
    expect(raised?.limits.memoryBytes.value).toBe(isHard ? 600 * MIB : undefined);
    await expect(os.setLimits({ pids: 0 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("[limits.live-disk] the size of a disk and the count of watches are changed while it runs", async () => {
    await using os = await AgentOs.create({ limits: { diskBytes: 16 * MIB, watches: 4 } });
    const fill = async (mib: number): Promise<number | null> =>
      (await os.exec(`head -c ${mib}m /dev/zero > full`)).exitCode;
    const watch = async (): Promise<number | null> =>
      (await os.exec("mkdir -p d/1 d/2 d/3 d/4 d/5 d/6; cd d; node -e '" + WATCH + "'")).exitCode;
    expect(await fill(24)).not.toBe(0);
    expect(await watch()).not.toBe(0);
    const { limits } = await os.setLimits({ diskBytes: 64 * MIB, watches: 100 });
    expect(limits.diskBytes).toEqual({ value: 64 * MIB, enforcement: "hard" });
    expect(await fill(24)).toBe(0);
    expect(await watch()).toBe(0);
    await expect(os.setLimits({ diskBytes: 8 * MIB })).rejects.toMatchObject({
      code: "UNSUPPORTED_LIMIT",
      details: { limit: "diskBytes", reason: "its disk holds more than that" },
    });
    await os.exec("rm full");
    await os.setLimits({ diskBytes: 8 * MIB });
    expect(await fill(16)).not.toBe(0);
    await using fork = (await os.fork()).at(0);
    await expect(fork?.setLimits({ diskBytes: 32 * MIB })).rejects.toMatchObject({
      details: { limit: "diskBytes" },
    });
  });

  test("[limits.pids] a fork bomb stops at the limit", async () => {
    await using os = await AgentOs.create({ limits: { pids: 30, require: ["pids"] } });
    const { stdout, stderr, exitCode } = await os.exec(
      "for i in $(seq 100); do sleep 0.5 & done; wait; echo all of them",
    );
    expect(stdout).toBe("");
    expect(stderr).toMatch(/fork/i);
    expect(exitCode).not.toBe(0);
    const free = async (): Promise<string | undefined> =>
      (await os.exec("echo alive").catch(() => undefined))?.stdout;
    await expect.poll(free, { timeout: 10_000 }).toBe("alive\n");
  });

  test("[limits.cpus] a busy program gets its part of a processor", async () => {
    await using os = await AgentOs.create({ limits: { cpus: 0.2 } });
    const spin =
      "const end = Date.now() + 2000; while (Date.now() < end); console.log(process.cpuUsage().user)";
    const { stdout } = await os.exec(["node", "-e", spin]);
    expect(Number(stdout)).toBeGreaterThan(0);
    expect(Number(stdout)).toBeLessThan((await hard(os, "cpus")) ? 1_000_000 : 3_000_000);
  });

  test("[limits.disk] a full disk is ENOSPC and ends no program", async () => {
    await using os = await AgentOs.create({
      limits: { memoryBytes: 128 * MIB, diskBytes: 200 * MIB, require: ["diskBytes"] },
    });
    const hits = listened(os);
    const full = await os.exec("dd if=/dev/zero of=/workspace/x bs=64k");
    expect(full).toMatchObject({ outcome: "exited", exitCode: 1 });
    expect(full.stderr).toContain("No space left on device");
    const bytes = Buffer.alloc(MIB);
    await expect(os.fs.writeFile("/workspace/y", bytes)).rejects.toMatchObject({ errno: "ENOSPC" });
    const { diskBytes } = (await os.info()).limits;
    expect(Number((await os.exec("stat -c %s /workspace/x")).stdout)).toBeLessThanOrEqual(
      diskBytes.value ?? 0,
    );
    await os.fs.rm("/workspace/x");
    await os.fs.writeFile("/workspace/y", bytes);
    expect([...new Set(hits.map(({ limit }) => limit))]).toEqual(["diskBytes"]);
  });

  test("[limits.open-files] a process gets no more files than it may have", async () => {
    await using os = await AgentOs.create({ limits: { openFiles: 64, require: ["openFiles"] } });
    const open = "let at = 0; try { for (;;) { fs.openSync('/etc/passwd'); at++; } }";
    const { stdout } = await os.exec([
      "node",
      "-e",
      `${open} catch (error) { console.log(at < 64, error.code); }`,
    ]);
    expect(stdout).toBe("true EMFILE\n");
  });

  test("[limits.wall-time] a VM ends at its time and says so", async () => {
    await using os = await AgentOs.create({ limits: { wallMs: 1_000, require: ["wallMs"] } });
    expect((await os.info()).limits.wallMs).toEqual({ value: 1_000, enforcement: "hard" });
    expect(await os.exec("sleep 1000")).toMatchObject({ outcome: "limited" });
    await expect
      .poll(() => os.exec("true").catch((error: unknown) => error))
      .toMatchObject({
        code: "VM_ENDED",
        details: { reason: "expired" },
      });
  });

  test("[limits.required] what is required is hard, or refused with the reason", async () => {
    await using os = await AgentOs.create();
    for (const limit of ["memoryBytes", "cpus"] as const) {
      const limits = { memoryBytes: 256 * MIB, cpus: 1, require: [limit] };
      const failure = await AgentOs.create({ limits }).then(
        async (made) => made.dispose(),
        (error: unknown) => error,
      );
      expect(isAgentOsError(failure, "UNSUPPORTED_LIMIT")).toBe(!(await hard(os, limit)));
      expect(String(failure)).toMatch(/^undefined$|it takes a cgroup: ./);
    }
  });

  test("[limits.nonsense] limits that mean nothing are refused", async () => {
    const nonsense = [
      { memoryBytes: 16 * MIB - 1 },
      { memoryBytes: 256 * MIB + 0.5 },
      ...["memoryBytes", "cpus", "pids", "diskBytes", "openFiles", "wallMs"].flatMap((name) =>
        [0, -1, Number.NaN, Number.POSITIVE_INFINITY].map((value) => ({ [name]: value })),
      ),
    ];
    for (const limits of nonsense) {
      await expect(AgentOs.create({ limits })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    // As a program without types might say it.
    for (const limits of ['{"memory":1}', '{"require":["speed"]}', '{"pids":"many"}']) {
      await expect(AgentOs.create({ limits: JSON.parse(limits) })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    }
  });

  test("[limits.stats] stats() tells what is used", async () => {
    await using os = await AgentOs.create({ limits: { memoryBytes: 512 * MIB } });
    const before = await os.stats();
    await os.exec("dd if=/dev/zero of=/workspace/x bs=1M count=50; seq 2000000 > /dev/null");
    const holding = await os.spawn(["sleep", "1000"]);
    const after = await os.stats();
    expect((after.diskBytes ?? 0) - (before.diskBytes ?? 0)).toBeGreaterThanOrEqual(50 * MIB);
    // What started the VM may be in its cgroup for a moment more.
    const counted = async (): Promise<number[]> => [
      (await os.stats()).processes,
      (await os.processes()).length,
    ];
    await expect.poll(counted, { timeout: 10_000 }).toEqual([2, 2]);
    const isHard = await hard(os, "memoryBytes");
    expect((after.memoryBytes ?? 0) - (before.memoryBytes ?? 0)).toBeGreaterThan(
      isHard ? 45 * MIB : -MIB,
    );
    expect(after.memoryBytes ?? 0).toBeLessThan(512 * MIB);
    expect(after.cpuMs === null || after.cpuMs > (before.cpuMs ?? 0)).toBe(true);
    await holding.kill("SIGKILL");
  });

  test("[limits.dispose] dispose leaves no cgroup", async () => {
    const os = await AgentOs.create({ limits: { memoryBytes: 64 * MIB, pids: 50 } });
    const marker = `sleep ${8_000_000 + process.pid}`;
    await os.exec(`setsid ${marker} > /dev/null 2>&1 &`);
    const [pid] = processesWith(marker);
    const directories = cgroupsOf(pid ?? 0);
    expect(directories.length > 0).toBe(await hard(os, "memoryBytes"));
    await os.dispose();
    expect(directories.filter((directory) => existsSync(directory))).toEqual([]);
  });

  test("[limits.user] a user without cgroups is told what is not to be had, and gets the rest", async () => {
    await using os = await AgentOs.create({ limits: { pids: 30, diskBytes: 16 * MIB } });
    const { limits } = await os.info();
    expect(limits).toMatchObject({
      pids: { value: 30, enforcement: "hard" },
      diskBytes: { value: 16 * MIB, enforcement: "hard" },
      openFiles: { enforcement: "hard" },
    });
    const byCgroup = [limits.memoryBytes.enforcement, limits.cpus.enforcement];
    expect(isMadeUp() ? byCgroup : ["none", "none"]).toEqual(["none", "none"]);
    const refused = await AgentOs.create({
      limits: { memoryBytes: 200 * MIB, require: ["memoryBytes"] },
    }).then(
      async (made) => made.dispose(),
      (error: unknown) => (isAgentOsError(error) ? error.code : error),
    );
    expect(refused).toBe((await hard(os, "memoryBytes")) ? undefined : "UNSUPPORTED_LIMIT");
  });
});

/** Whether the user has no line in the password file, and so nobody gave it a cgroup either. */
function isMadeUp(): boolean {
  const user = String(process.getuid?.());
  return !readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .some((line) => line.split(":")[2] === user);
}

/** The directories of its VM that a process is in. */
function cgroupsOf(pid: number): string[] {
  const mountPoints = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .filter((line) => / cgroup2? /.test(line))
    .map((line) => line.split(" ")[1] ?? "");
  return readFileSync(`/proc/${pid}/cgroup`, "utf8")
    .split("\n")
    .map((line) => line.split(":").slice(2).join(":"))
    .filter((path) => path.includes("/agentos/agentos-"))
    .flatMap((path) => mountPoints.map((mountPoint) => join(mountPoint, path)))
    .filter((directory) => existsSync(directory));
}
