import { existsSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import type { LimitHit } from "@agentos/core";
import { isAgentOsError } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import { openCgroups } from "../../src/cgroup/open-cgroups.ts";
import type { CgroupLimits, VmCgroup, VmCgroups } from "../../src/cgroup/vm-cgroup.ts";
import { HeldProcess } from "./held-process.ts";

const MIB = 1024 * 1024;
let names = 0;

async function prepared(cgroups: VmCgroups, limits: CgroupLimits = {}): Promise<VmCgroup> {
  names += 1;
  const cgroup = await cgroups.prepare(`test-${names}`);
  await cgroup.apply(limits);
  return cgroup;
}

/** What this machine offers decides what a test can see; that it tells the truth is seen either way. */
function holds(cgroups: VmCgroups, limit: keyof VmCgroups["offers"]): boolean {
  return cgroups.offers[limit].enforcement === "hard";
}

/** Takes 10 MiB at a time and says how far it came. */
function memoryBomb(mib: number): string {
  const step = `for (let at = 0; at < ${mib}; at += 10) { kept.push(Buffer.alloc(10 * 1024 * 1024, 1)); }`;
  return `'${process.execPath}' -e 'const kept = []; ${step}; console.log("all of it")'`;
}

describe("the offers", () => {
  test("each is hard, or none with a reason", async () => {
    await using cgroups = await openCgroups();
    for (const offer of Object.values(cgroups.offers)) {
      expect(offer.reason === undefined).toBe(offer.enforcement === "hard");
      expect(["hard", "none"]).toContain(offer.enforcement);
    }
  });

  test("trying and disposing leave nothing of this process behind", async () => {
    const cgroups = await openCgroups();
    const cgroup = await prepared(cgroups);
    const parents = cgroup.directories.map((directory) => dirname(directory));
    await cgroup.remove();
    await cgroups[Symbol.asyncDispose]();
    // Other sidecars of this machine may have VMs at this moment.
    const left = await Promise.all(parents.map((parent) => readdir(parent).catch(() => [])));
    const own = left.flat().filter((name) => name.startsWith(`agentos-${process.pid}-`));
    expect(own).toEqual([]);
  });
});

describe("limits", () => {
  test("memory ends what takes more, and nothing beside it", async () => {
    await using cgroups = await openCgroups();
    const bounded = await prepared(cgroups, { memoryBytes: 128 * MIB });
    const beside = await prepared(cgroups, { memoryBytes: 512 * MIB });
    const hits: LimitHit[] = [];
    bounded.onHit((hit) => hits.push(hit));
    await using neighbour = await HeldProcess.start(beside.directories, "read more; echo fine");
    await using bomb = await HeldProcess.start(bounded.directories, memoryBomb(300));
    const { exitCode, stdout } = await bomb.end();
    await bounded.check();
    const hard = holds(cgroups, "memoryBytes");
    expect(exitCode).toBe(hard ? 137 : 0);
    expect(stdout).toBe(hard ? "" : "all of it");
    expect(hits).toEqual(hard ? [{ limit: "memoryBytes", value: 128 * MIB }] : []);
    await bounded.check();
    expect(hits).toHaveLength(hard ? 1 : 0);
    neighbour.say("more");
    expect((await neighbour.end()).stdout).toBe("fine");
    await Promise.all([bounded.remove(), beside.remove()]);
  });

  test("pids stop a fork bomb, which is told", async () => {
    await using cgroups = await openCgroups();
    const bounded = await prepared(cgroups, { pids: 10 });
    const hits: LimitHit[] = [];
    const stop = bounded.onHit((hit) => hits.push(hit));
    const script = "for i in $(seq 30); do sleep 0.2 & done; wait; echo all of them";
    await using bomb = await HeldProcess.start(bounded.directories, script);
    const { stdout, stderr } = await bomb.end();
    await bounded.check();
    const hard = holds(cgroups, "pids");
    expect(stdout).toBe(hard ? "" : "all of them");
    expect(stderr).toMatch(hard ? /fork/i : /^$/);
    expect(hits).toEqual(hard ? [{ limit: "pids", value: 10 }] : []);
    stop();
    await using again = await HeldProcess.start(bounded.directories, script);
    await again.end();
    await bounded.check();
    expect(hits).toHaveLength(hard ? 1 : 0);
    await bounded.remove();
  });

  test("cpus bound the time that programs get", async () => {
    await using cgroups = await openCgroups();
    const bounded = await prepared(cgroups, { cpus: 0.2 });
    const spin = `'${process.execPath}' -e 'const end = Date.now() + 2000; while (Date.now() < end); console.log(process.cpuUsage().user)'`;
    await using busy = await HeldProcess.start(bounded.directories, spin);
    const seconds = Number((await busy.end()).stdout) / 1_000_000;
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThan(holds(cgroups, "cpus") ? 1 : 3);
    await bounded.remove();
  });

  test("a value that the kernel refuses is said, not passed over", async () => {
    await using cgroups = await openCgroups();
    const cgroup = await cgroups.prepare("refused");
    const failure = await cgroup.apply({ pids: -5 }).catch((error: unknown) => error);
    expect(isAgentOsError(failure, "UNSUPPORTED_LIMIT")).toBe(holds(cgroups, "pids"));
    expect(String(failure)).toContain(holds(cgroups, "pids") ? "EINVAL" : "undefined");
    await cgroup.remove();
  });
});

describe("use", () => {
  test("it is what the processes use, or null", async () => {
    await using cgroups = await openCgroups();
    const cgroup = await prepared(cgroups);
    const take = `'${process.execPath}' -e 'const kept = Buffer.alloc(50 * 1024 * 1024, 1); console.log("taken"); process.stdin.on("data", () => process.exit(kept[0] - 1))'`;
    await using held = await HeldProcess.start(cgroup.directories, take);
    await held.line("taken");
    const { memoryBytes, processes, cpuMs } = await cgroup.read();
    expect(memoryBytes === null).toBe(!holds(cgroups, "memoryBytes"));
    expect(memoryBytes ?? 100 * MIB).toBeGreaterThan(50 * MIB);
    expect(memoryBytes ?? 100 * MIB).toBeLessThan(200 * MIB);
    expect(cpuMs ?? 10).toBeGreaterThan(5);
    // The shell and what it runs.
    expect(processes).toBe(cgroup.directories.length === 0 ? null : 2);
    held.say("end");
    await held.end();
    await cgroup.remove();
    expect(await cgroup.read()).toEqual({ memoryBytes: null, processes: null, cpuMs: null });
  });
});

describe("freezing", () => {
  test("it stops processes, which can still be killed, and lets them go on", async () => {
    await using cgroups = await openCgroups();
    const cgroup = await prepared(cgroups);
    const { freeze } = cgroup;
    expect(freeze === undefined).toBe(cgroup.directories.length === 0);
    const script = "while :; do :; done";
    await using spinning = await HeldProcess.start(cgroup.directories, script);
    await using other = await HeldProcess.start(cgroup.directories, script);
    if (freeze === undefined) return;
    await freeze(true);
    const before = await cgroup.read();
    const used = await cpuTicks(spinning.pid);
    expect(before.processes).toBe(2);
    other.kill();
    expect((await other.end()).signal).toBe("SIGKILL");
    expect(await cpuTicks(spinning.pid)).toBe(used);
    await freeze(false);
    await expect.poll(() => cpuTicks(spinning.pid), { timeout: 10_000 }).toBeGreaterThan(used);
    await freeze(true);
    await freeze(true);
    spinning.kill();
    await spinning.end();
    await cgroup.remove();
    expect(cgroup.directories.filter((each) => existsSync(each))).toEqual([]);
  });

  test("a fork bomb freezes too", async () => {
    await using cgroups = await openCgroups();
    const cgroup = await prepared(cgroups, { pids: 100 });
    expect(cgroup.freeze === undefined).toBe(cgroup.directories.length === 0);
    if (cgroup.freeze === undefined) return;
    const script =
      "for at in $(seq 20); do (while :; do (sleep 0.01; sleep 0.01); done) & done; wait";
    await using bomb = await HeldProcess.start(cgroup.directories, script);
    await expect.poll(async () => (await cgroup.read()).processes).toBeGreaterThan(10);
    await cgroup.freeze(true);
    const frozen = cgroup.directories.find((each) => each.endsWith("/frozen")) ?? "";
    const whole = dirname(frozen);
    expect(await readFile(join(whole, "cgroup.procs"), "utf8")).toBe("");
    const pids = (await readFile(join(frozen, "cgroup.procs"), "utf8")).trim().split("\n");
    expect(await readFile(join(frozen, "cgroup.procs"), "utf8")).toBe(`${pids.join("\n")}\n`);
    bomb.kill();
    for (const pid of pids) killIfThere(Number(pid));
    await bomb.end();
    await cgroup.remove();
    expect(cgroup.directories.filter((each) => existsSync(each))).toEqual([]);
  });
});

describe("what is left", () => {
  test("a cgroup with processes is waited for, and given up in the end", async () => {
    await using cgroups = await openCgroups();
    const cgroup = await prepared(cgroups);
    await using held = await HeldProcess.start(cgroup.directories, "read more");
    const removing = cgroup.remove();
    held.say("more");
    await held.end();
    await removing;
    expect(cgroup.directories.filter((each) => existsSync(each))).toEqual([]);
    const kept = await prepared(cgroups);
    await using staying = await HeldProcess.start(kept.directories, "read more");
    await kept.remove();
    expect(kept.directories.filter((each) => existsSync(each)).length > 0).toBe(
      kept.directories.length > 0,
    );
    staying.kill();
    await staying.end();
    await kept.remove();
    expect(kept.directories.filter((each) => existsSync(each))).toEqual([]);
  });

  test("what dead sidecars left is swept, and what the living made is not", async () => {
    await using cgroups = await openCgroups();
    const living = await prepared(cgroups);
    const stale = living.directories
      .map((each) => dirname(each))
      .filter((each) => each.endsWith("/agentos"))
      .map((parent) => join(parent, "agentos-4194303-1-gone"));
    await Promise.all(stale.map((each) => mkdir(join(each, "frozen"), { recursive: true })));
    const [populated] = stale;
    await using held = await HeldProcess.start(
      populated === undefined ? [] : [populated],
      "read more",
    );
    await using other = await openCgroups();
    expect(other.offers).toBe(cgroups.offers);
    expect(stale.filter((each) => existsSync(each))).toEqual(stale.slice(0, 1));
    expect(living.directories.every((each) => existsSync(each))).toBe(true);
    held.kill();
    await held.end();
    await using last = await openCgroups();
    expect(last.offers).toBe(cgroups.offers);
    expect(stale.filter((each) => existsSync(each))).toEqual([]);
    await living.remove();
  });

  test("an adopted VM's limits are told and its directories removed by the next life", async () => {
    const first = await openCgroups();
    const made = await prepared(first, { pids: 10 });
    const script = "read more; for i in $(seq 30); do sleep 0.1 & done; wait";
    await using held = await HeldProcess.start(made.directories, script);
    await first[Symbol.asyncDispose]();
    await using next = await openCgroups();
    const adopted = await next.adopt(made.directories, { pids: 10 });
    expect(adopted.directories).toEqual(made.directories);
    const hits: LimitHit[] = [];
    adopted.onHit((hit) => hits.push(hit));
    await adopted.check();
    expect(hits).toEqual([]);
    held.say("more");
    await held.end();
    await adopted.check();
    expect(hits).toHaveLength(holds(next, "pids") ? 1 : 0);
    await adopted.remove();
    expect(made.directories.filter((each) => existsSync(each))).toEqual([]);
    const foreign = await next.adopt(["/etc", "/sys/fs/cgroup/memory/other"], {});
    expect(foreign.directories).toEqual([]);
  });

  test("two trees make and remove their directories at the same time", async () => {
    const rounds = await Promise.all(Array.from({ length: 40 }, () => round()));
    expect(rounds.every(Boolean)).toBe(true);
  });
});

/** One life of a sidecar with one VM. */
async function round(): Promise<boolean> {
  const cgroups = await openCgroups();
  const cgroup = await prepared(cgroups, { pids: 10 });
  const all = cgroup.directories.every((each) => existsSync(each));
  await cgroup.remove();
  await cgroups[Symbol.asyncDispose]();
  return all && cgroup.directories.every((each) => !existsSync(each));
}

async function cpuTicks(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[11]);
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It was between two programs when it was listed, and is gone.
  }
}
