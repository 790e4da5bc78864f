import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";

import { AgentOs, isAgentOsError } from "@agentos/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { processesWith, useWorld } from "./world.ts";

const MIB = 1024 * 1024;
const LIMITS = { memoryBytes: 256 * MIB, pids: 100, diskBytes: 64 * MIB, openFiles: 256 };
/** Execs of the neighbour while a bomb runs. */
const EXECS = 10;
/** What a caller's environment may hold that changes what programs do, or is a secret. */
const HOSTILE = {
  LD_LIBRARY_PATH: "/canary-of-the-caller",
  NODE_OPTIONS: "--no-deprecation",
  NODE_PATH: "/canary-of-the-caller",
  BASH_ENV: "/canary-of-the-caller",
  ENV: "/canary-of-the-caller",
  GIT_DIR: "/canary-of-the-caller",
  PYTHONSTARTUP: "/canary-of-the-caller",
  HTTPS_PROXY: "http://canary-of-the-caller",
  ANTHROPIC_API_KEY: "canary-of-the-caller",
};

useWorld();
// What the first create starts has this program's environment to inherit from.
beforeAll(() => {
  Object.assign(process.env, HOSTILE);
});

describe("a hostile VM and its neighbour", () => {
  let neighbour: AgentOs;
  beforeAll(async () => {
    neighbour = await AgentOs.create();
  });
  afterAll(() => neighbour.dispose());

  /** The neighbour and the host go on. */
  const allAnswer = async (): Promise<void> => {
    for (let at = 0; at < EXECS; at += 1)
      expect((await neighbour.exec("echo here")).stdout).toBe("here\n");
    const [code] = await once(spawn("/bin/true"), "close");
    expect(code).toBe(0);
  };

  test("[S22] a fork bomb ends at its VM's processes", async () => {
    const os = await AgentOs.create({ limits: LIMITS });
    const bomb = await os.spawn(["bash", "-c", "f() { f | f & f | f & }; while :; do f; done"]);
    bomb.exited.catch(() => undefined);
    await expect.poll(async () => (await os.stats()).processes).toBeGreaterThan(80);
    await allAnswer();
    expect((await os.stats()).processes).toBeLessThanOrEqual(LIMITS.pids);
    await os.dispose();
    await allAnswer();
  });

  test("[S23] a memory bomb ends one program of its VM at most", async () => {
    await using os = await AgentOs.create({ limits: LIMITS });
    const { limits } = await os.info();
    await using other = await os.spawn(["sleep", "1000"]);
    const bombing = os.exec("head -c 600m /dev/zero | tail -c 599m > /dev/null");
    await allAnswer();
    const { outcome } = await bombing;
    expect(outcome).toBe(limits.memoryBytes.enforcement === "hard" ? "limited" : "exited");
    expect((await os.processes()).map(({ pid }) => pid)).toContain(other.pid);
  });

  test("[S24] programs that spin get their VM's part of the processors", async () => {
    await using os = await AgentOs.create({ limits: { ...LIMITS, cpus: 0.5 } });
    const spin = await os.spawn(["sh", "-c", "for i in 1 2 3 4; do (while :; do :; done) & done"]);
    await spin.exited;
    const begun = performance.now();
    const before = (await os.stats()).cpuMs;
    await allAnswer();
    // What the kernel has not counted yet, or has let run ahead, is a period of each processor.
    const after = (await os.stats()).cpuMs;
    const most = 0.5 * (performance.now() - begun) + 400;
    expect(before === null ? 0 : (after ?? 0) - before).toBeLessThan(most);
  });

  test("[S25] a flood of files and pipes ends at each process's limit", async () => {
    await using os = await AgentOs.create({ limits: LIMITS });
    const flood = `
      import errno, os, sys
      for _ in range(40):
          if os.fork() == 0: break
      held = []
      try:
          while True: held.append(os.pipe())
      except OSError as error: print(errno.errorcode[error.errno], flush=True)
      sys.stdin.read()
    `.replaceAll(/^ {6}/gm, "");
    const running = await os.spawn(["python3", "-c", flood]);
    const reader = running.stdout.getReader();
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toMatch(/^(EMFILE\s?)+/);
    await allAnswer();
    await using more = await AgentOs.create();
    expect((await more.exec("echo opened")).stdout).toBe("opened\n");
    await running.kill("SIGKILL");
  });

  test("[S26] a flood of output is cut or waits, and costs the sidecar a bounded memory", async () => {
    await using os = await AgentOs.create({ limits: LIMITS });
    const { sidecarPid } = await os.info();
    const before = residentBytes(sidecarPid);
    // Nobody reads these.
    const unread = await Promise.all(
      [1, 2, 3, 4].map(() => os.spawn(["sh", "-c", "cat /dev/zero | tee /dev/stderr"])),
    );
    const flooding = os.exec("cat /dev/zero | tee /dev/stderr", {
      timeoutMs: 700,
      maxOutputBytes: MIB,
    });
    await allAnswer();
    const { outcome, truncated, stdout, stderr } = await flooding;
    expect([outcome, truncated, stdout.length, stderr.length]).toEqual([
      "timed-out",
      true,
      MIB,
      MIB,
    ]);
    expect(residentBytes(sidecarPid) - before).toBeLessThan(100 * MIB);
    for (const each of unread) await each.kill("SIGKILL");
  });

  test("[S27] what a VM's programs leave behind them ends with it", async () => {
    const marker = `sleep ${7_000_000 + process.pid}`;
    const os = await AgentOs.create();
    const daemon = `
      import os, signal
      for _ in range(3):
          if os.fork(): os._exit(0)
          os.setsid()
      for number in (1, 2, 15): signal.signal(number, signal.SIG_IGN)
      os.chdir("/"); os.closerange(0, 64)
      os.execvp("sleep", "${marker}".split())
    `.replaceAll(/^ {6}/gm, "");
    await os.exec(["python3", "-c", daemon]);
    await expect.poll(() => processesWith(marker).length).toBe(1);
    await os.dispose();
    expect(processesWith(marker)).toEqual([]);
  });

  test("[S28] [S29] no signal leaves the VM, and no process of the host is seen in it", async () => {
    const victim = spawn("sleep", ["60"], { env: { SECRET: "canary-of-the-host" } });
    const os = await AgentOs.create();
    try {
      const attack = `
        import ctypes, errno, fcntl, os, signal, socket
        libc = ctypes.CDLL(None, use_errno=True)
        def said(name, work):
            try: print(name, work() or "done", flush=True)
            except OSError as error: print(name, errno.errorcode[error.errno], flush=True)
        def pidfd():
            if libc.syscall(434, ${victim.pid}, 0) < 0: raise OSError(ctypes.get_errno(), "")
        said("kill", lambda: os.kill(${victim.pid}, 9))
        said("group", lambda: os.killpg(${victim.pid}, 9))
        said("queue", lambda: libc.sigqueue(${victim.pid}, 9, 0) and errno.errorcode[ctypes.get_errno()])
        said("pidfd", pidfd)
        a, b = socket.socketpair()
        said("owner", lambda: fcntl.fcntl(a, fcntl.F_SETOWN, ${victim.pid}))
      `.replaceAll(/^ {8}/gm, "");
      const { stdout } = await os.exec(["python3", "-c", attack]);
      expect(stdout.trim().split("\n")).toEqual([
        "kill ESRCH",
        "group ESRCH",
        "queue ESRCH",
        "pidfd ESRCH",
        "owner ESRCH",
      ]);
      const seen =
        "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ /proc/[0-9]*/comm 2>/dev/null | tr '\\0' '\\n'";
      const shown = (await os.exec(seen)).stdout;
      expect(shown).toContain("cat");
      expect(shown).not.toMatch(/canary-of-the|^node|vitest/);
      // All that a guest may signal: its own. PID 1 lives on.
      await os.exec("kill -9 -1; kill -9 1; exec true");
      expect((await os.exec("echo alive")).stdout).toBe("alive\n");
      expect(victim.exitCode ?? victim.signalCode).toBe(null);
    } finally {
      victim.kill("SIGKILL");
      await os.dispose();
    }
  });

  test("[S30] nothing of the caller's environment reaches the sidecar, vmd or a VM", async () => {
    const { sidecarPid } = await neighbour.info();
    const names = environmentOf(sidecarPid).map((line) => line.split("=")[0] ?? "");
    const kept = /^(PATH|HOME|TMPDIR|LANG|XDG_\w+|NODE_COMPILE_CACHE)$/;
    expect(names.filter((name) => !kept.test(name))).toEqual([]);
    const spawners = childrenOf(sidecarPid);
    expect(spawners.length).toBeGreaterThan(0);
    for (const pid of spawners) expect([pid, environmentOf(pid)]).toEqual([pid, []]);
    const { stdout } = await neighbour.exec(
      "env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'",
    );
    expect(stdout).toContain("HOME=/home/agent");
    expect(stdout).not.toMatch(/canary-of-the-caller|NODE_OPTIONS|_PROXY/);
  });

  test("[S31] a VM that can't have its walls is refused, and info() says which are up", async () => {
    const { isolation, limits } = await neighbour.info();
    expect(isolation).toBe("namespaces");
    for (const limit of ["memoryBytes", "cpus", "pids", "diskBytes", "openFiles"] as const) {
      const asked = { [limit]: limits[limit].value ?? 1 };
      const made = AgentOs.create({ limits: { ...asked, require: [limit] } });
      const code = await made.then(
        async (os) => os.dispose().then(() => "made"),
        (error: unknown) => (isAgentOsError(error) ? error.code : String(error)),
      );
      const isHard = limits[limit].enforcement === "hard";
      expect([limit, code]).toEqual([limit, isHard ? "made" : "UNSUPPORTED_LIMIT"]);
    }
    const strange: object = { security: { profile: "standard", seccomp: false } };
    await expect(AgentOs.create(strange)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("[S32] a VM whose first process is killed ends alone, and no exit is made up", async () => {
    const marker = `sleep ${6_000_000 + process.pid}`;
    const os = await AgentOs.create();
    const running = os.exec(marker);
    const spawned = await os.spawn(marker.split(" "));
    await expect.poll(() => processesWith(marker).length).toBeGreaterThanOrEqual(2);
    process.kill(initOf(processesWith(marker)[0] ?? 0), "SIGKILL");
    for (const end of [running, spawned.exited]) {
      const told = await end.then(
        ({ outcome, exitCode }) => [outcome, exitCode],
        (error: unknown) => [isAgentOsError(error) ? error.code : error, null],
      );
      expect(["unknown", "VM_ENDED"]).toContain(told[0]);
      expect(told[1]).toBe(null);
    }
    await expect(os.exec("true")).rejects.toMatchObject({ code: "VM_ENDED" });
    await allAnswer();
    await os.dispose();
  });
});

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024;
}

function environmentOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/environ`, "latin1")
    .split("\0")
    .filter((line) => line !== "");
}

function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1");
  return children.trim().split(/\s+/).filter(Boolean).map(Number);
}

/** The VM's first process: the ancestor of a guest's process that is number 1 in its own namespace. */
function initOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const inner = /^NSpid:.*?(\d+)$/m.exec(status)?.[1];
  return inner === "1" ? pid : initOf(Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]));
}
