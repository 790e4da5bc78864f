import { EventEmitter } from "node:events";

import { AgentOsError } from "@agentos/client";
import { describe, expect, test } from "vitest";

import { EXIT_CODE, exitCodeOf, signalExitCode } from "../src/exit-code.ts";
import { createGuestOutput } from "../src/guest/guest-output.ts";
import { Interrupts } from "../src/guest/interrupts.ts";
import { limitsOf } from "../src/guest/vm-limits.ts";
import { failureExitCode, printFailure } from "../src/output/failure.ts";
import { createFakeIo } from "./fake-io.ts";

describe("exit codes", () => {
  test.each([
    [{ exitCode: 0, signal: null, outcome: "exited" }, 0],
    [{ exitCode: 255, signal: null, outcome: "exited" }, 255],
    [{ exitCode: null, signal: "SIGKILL", outcome: "signaled" }, 137],
    [{ exitCode: null, signal: "SIGINT", outcome: "signaled" }, 130],
    [{ exitCode: null, signal: "SIGKILL", outcome: "timed-out" }, 124],
    [{ exitCode: null, signal: null, outcome: "unknown" }, 125],
    [{ exitCode: null, signal: "SIGKILL", outcome: "cancelled" }, 137],
  ])("%j is %i", (exit, code) => {
    expect(exitCodeOf(exit)).toBe(code);
  });

  test("a signal that this system does not have is a failure", () => {
    expect([signalExitCode("SIGTERM"), signalExitCode("SIGNOPE")]).toEqual([143, EXIT_CODE.failed]);
  });

  test("errors of AgentOS are 125, but for programs that can't be run", () => {
    const missing = new AgentOsError("COMMAND_NOT_FOUND", "no nope", {
      command: "nope",
      exitCode: 127,
    });
    const denied = new AgentOsError("COMMAND_NOT_EXECUTABLE", "no x", {
      command: "x",
      exitCode: 126,
      errno: "EACCES",
    });
    const other = new AgentOsError("INTERNAL", "oh", {});
    expect([missing, denied, other, new Error("x")].map(failureExitCode)).toEqual([
      127, 126, 125, 125,
    ]);
  });
});

describe("Ctrl-C", () => {
  const heard: string[] = [];
  const receiver = {
    forward: (signal: string) => void heard.push(`forward ${signal}`),
    kill: () => void heard.push("kill"),
  };

  test("before a guest runs, the first one aborts", () => {
    const source = new EventEmitter();
    using interrupts = new Interrupts(source);
    expect([interrupts.signal.aborted, interrupts.exitCode]).toEqual([false, undefined]);
    source.emit("SIGTERM", "SIGTERM");
    expect([interrupts.signal.aborted, interrupts.exitCode]).toEqual([true, 143]);
  });

  test("the guest gets the first, the second kills, the third has its default effect", () => {
    heard.length = 0;
    const source = new EventEmitter();
    using interrupts = new Interrupts(source);
    interrupts.deliverTo(receiver);
    source.emit("SIGINT", "SIGINT");
    expect(heard).toEqual(["forward SIGINT"]);
    expect(interrupts.signal.aborted).toBe(false);
    source.emit("SIGINT", "SIGINT");
    expect(heard).toEqual(["forward SIGINT", "kill"]);
    expect([interrupts.signal.aborted, interrupts.exitCode]).toEqual([true, 130]);
    expect(source.listenerCount("SIGINT")).toBe(0);
  });

  test("a signal that came while the guest was being started is not lost", () => {
    heard.length = 0;
    const source = new EventEmitter();
    using interrupts = new Interrupts(source);
    source.emit("SIGHUP", "SIGHUP");
    interrupts.deliverTo(receiver);
    expect(heard).toEqual(["forward SIGHUP"]);
  });

  test("afterwards signals are the process's own again", () => {
    const source = new EventEmitter();
    new Interrupts(source)[Symbol.dispose]();
    expect(source.eventNames().map((name) => source.listenerCount(name))).toEqual([]);
  });
});

describe("a guest's output", () => {
  const { signal } = new AbortController();

  test("goes through byte for byte, stdout and stderr apart", async () => {
    const io = createFakeIo();
    const output = createGuestOutput(io, false, signal);
    await output.event("started", { pid: 2 });
    await output.output("stdout", Buffer.from("out\u001b[1m"));
    await output.output("stderr", Buffer.from("err"));
    await output.end();
    expect(io.printed).toEqual({ stdout: "out\u001b[1m", stderr: "err" });
  });

  test("with --json is one line per event, all on stdout", async () => {
    const io = createFakeIo();
    const output = createGuestOutput(io, true, signal);
    await output.event("started", { pid: 2 });
    await output.output("stdout", Buffer.from("a\nb"));
    await output.output("stderr", Uint8Array.of(0xe2, 0x82));
    await output.end();
    const lines = io.printed.stdout
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(lines).toEqual([
      { event: "started", pid: 2 },
      { event: "stdout", text: "a\nb" },
      { event: "stderr", base64: "4oI=" },
    ]);
    expect(io.printed.stderr).toBe("");
  });
});

describe("failures", () => {
  const error = new AgentOsError(
    "DRIVER_UNAVAILABLE",
    "driver linux can't work here: user namespaces are off\nreally",
    { driver: "linux", reason: "EPERM", remedy: "sysctl user.max_user_namespaces=10000" },
  );

  test("are two lines, what and what to do, without a stack", async () => {
    const io = createFakeIo();
    await printFailure(io, error, false);
    expect(io.printed.stderr).toBe(
      "agentos: driver linux can't work here: user namespaces are off; really\n" +
        "         sysctl user.max_user_namespaces=10000\n",
    );
  });

  test("with --json are one line", async () => {
    const io = createFakeIo();
    await printFailure(io, error, true);
    expect(JSON.parse(io.printed.stderr)).toMatchObject({
      error: { code: "DRIVER_UNAVAILABLE", remedy: "sysctl user.max_user_namespaces=10000" },
    });
    expect(io.printed.stdout).toBe("");
  });

  test("show their stack when AGENTOS_DEBUG is 1", async () => {
    const io = createFakeIo({ env: { AGENTOS_DEBUG: "1" } });
    await printFailure(io, error, false);
    expect(io.printed.stderr).toMatch(/\n\s+at /);
  });

  test("what a guest put into a message can't drive the terminal", async () => {
    const io = createFakeIo();
    await printFailure(io, new Error("bad name \u001b]0;owned\u0007"), false);
    expect(io.printed.stderr).toContain(String.raw`bad name \x1b]0;owned\x07`);
  });
});

test("limits that were named are passed on, and required only when asked", () => {
  expect(limitsOf({})).toBeUndefined();
  expect(limitsOf({ memory: 1024, pids: 5 })).toEqual({ memoryBytes: 1024, pids: 5 });
  expect(limitsOf({ cpus: 1, disk: 2, requireLimits: true })).toEqual({
    cpus: 1,
    diskBytes: 2,
    require: ["cpus", "diskBytes"],
  });
});
