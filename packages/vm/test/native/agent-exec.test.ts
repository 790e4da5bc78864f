import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { chmod, writeFile } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";

import { canRunAgent, startAgent, type Agent } from "./agent-harness.ts";
import { readFail } from "./agent-link.ts";
import { Collector, runCommand } from "./agent-run.ts";
import { field, Kind, u32 } from "./frame-codec.ts";

const { errno, signals } = constants;

/** `npm run test:chaos` does more. */
const QUICK_COMMANDS = process.env["AGENTOS_LONG_FORMS"] === undefined ? 600 : 2000;

/** Of each process its id, its session's, its state and its command. */
function processLines(payload: Buffer): string[] {
  const lines: string[] = [];
  for (let at = 1; at < payload.length;) {
    const length = payload.readUInt16LE(at + 41);
    const command = payload.subarray(at + 43, at + 43 + length).toString();
    const state = String.fromCharCode(payload.readUInt8(at + 16));
    lines.push(`${payload.readUInt32LE(at)} ${payload.readUInt32LE(at + 12)} ${state} ${command}`);
    at += 43 + length;
  }
  return lines;
}

describe.runIf(canRunAgent)("processes of the agent", () => {
  let agent: Agent;
  beforeAll(async () => {
    agent = await startAgent();
  }, 180_000);
  afterAll(() => agent[Symbol.asyncDispose]());

  it("keeps stdout and stderr apart and reports the exit code", async () => {
    const result = await runCommand(agent.link, ["sh", "-c", "echo out; echo err >&2; exit 7"]);
    expect(result.stdout.toString()).toBe("out\n");
    expect(result.stderr.toString()).toBe("err\n");
    expect(result).toMatchObject({ cause: 0, code: 7, reason: 0, open: 0, totals: [4, 4] });
    expect(result.durationUs).toBeGreaterThan(100);
  });

  it("says END by EXIT alone for a short command", async () => {
    const ends: number[] = [];
    for (let i = 0; i < 20; i++) {
      const { ended } = await runCommand(agent.link, ["/bin/echo", "hello"]);
      ends.push(ended.length);
    }
    // Not each time: the machine may be busier than the wait is long.
    expect(ends.filter((count) => count === 0).length).toBeGreaterThan(10);
  });

  it("ends a channel that is closed while the process goes on", async () => {
    const stream = agent.link.exec(["sh", "-c", "echo bye; exec >&-; sleep 0.3"]);
    await agent.link.expect(Kind.started, stream);
    await agent.link.expect(Kind.out, stream);
    expect(await agent.link.expect(Kind.end, stream)).toMatchObject({
      offset: 4,
      payload: Buffer.of(1),
    });
    expect(await agent.link.exit(stream)).toMatchObject({ code: 0, open: 0 });
    agent.link.release(stream);
  });

  it("reports the signal that ended a process", async () => {
    const result = await runCommand(agent.link, ["sh", "-c", "kill -TERM $$"]);
    expect(result).toMatchObject({ cause: 1, code: signals.SIGTERM });
  });

  it("gives only what was asked for: environment, directory, descriptors, signals, session", async () => {
    const script =
      "env; pwd; ls /proc/self/fd; cat /proc/self/status; cut -d' ' -f1,5,6 /proc/$$/stat";
    const { stdout } = await runCommand(agent.link, ["bash", "-c", script], {
      env: { ONLY: "this" },
      cwd: "/usr",
    });
    const text = stdout.toString();
    expect(text).toContain("ONLY=this\n");
    expect(text).not.toMatch(/^(HOME|ASAN_OPTIONS|USER)=/m);
    expect(text).toContain("\n/usr\n0\n1\n2\n3\n");
    expect(text).toMatch(/SigBlk:\s+0{16}\n/);
    expect(text).toMatch(/SigIgn:\s+0{16}\n/);
    expect(text).toMatch(/(\d+) \1 \1\n$/);
  });

  it("lets programs reopen their output by name", async () => {
    const { stdout } = await runCommand(agent.link, [
      "sh",
      "-c",
      "echo a > /dev/stdout; echo b | tee /dev/stdout",
    ]);
    expect(stdout.toString()).toBe("a\nb\nb\n");
  });

  it("names what failed to start", async () => {
    const file = join(agent.folder, "not-executable");
    await writeFile(file, "#!/bin/sh\n");
    const cases: [string[], string, number, string][] = [
      [["/no/such/program"], "/", errno.ENOENT, "exec"],
      [["no-such-program"], "/", errno.ENOENT, "exec"],
      [[file], "/", errno.EACCES, "exec"],
      [["/bin/true"], "/no/such/directory", errno.ENOENT, "cwd"],
      [["/bin/true"], file, errno.ENOTDIR, "cwd"],
      [["/bin/true"], "relative", errno.EINVAL, "cwd"],
      [[""], "/", errno.ENOENT, "exec"],
    ];
    for (const [args, cwd, number, step] of cases) {
      const { fail } = await runCommand(agent.link, args, { cwd });
      expect({ args, ...fail }).toEqual({ args, errno: number, step });
    }
    await chmod(file, 0o755);
    expect((await runCommand(agent.link, [file])).code).toBe(0);
    expect((await runCommand(agent.link, ["./not-executable"], { cwd: agent.folder })).code).toBe(
      0,
    );
  });

  it("refuses a field that it does not know, and a bad id", async () => {
    const { link } = agent;
    const base = [field(40, "strange"), field(41, "/bin/true")];
    const bad = [
      [...base, field(99, "?")],
      [field(40, "a b"), field(41, "/bin/true")],
      [field(40, "no-args")],
      [...base, field(45, u32(1))],
      [...base, field(44, u32(64))],
      [...base, field(42, "=x")],
    ];
    for (const fields of bad) {
      const stream = link.stream();
      link.send(Kind.exec, stream, 0, Buffer.concat(fields));
      expect(readFail(await link.next(stream)).errno).toBe(errno.EINVAL);
    }
    expect((await runCommand(link, ["/bin/true"], { id: "strange" })).code).toBe(0);
  });

  it("runs an id once: alive, exited, and after its release", async () => {
    const { link } = agent;
    const first = link.exec(["sleep", "0.2"], { id: "once" });
    const again = () => runCommand(link, ["/bin/true"], { id: "once" });
    const exists = { errno: errno.EEXIST, step: "id" };
    expect((await again()).fail).toEqual(exists);
    await new Collector(link, first).result;
    expect((await again()).fail).toEqual(exists);
    link.release(first);
    expect((await again()).fail).toEqual(exists);
    for (let i = 0; i < 1024; i++) await runCommand(link, ["/bin/true"], { id: `other-${i}` });
    expect((await again()).code).toBe(0);
  });

  it("refuses a stream that is in use", async () => {
    const { link } = agent;
    const stream = link.exec(["sleep", "0.1"]);
    await link.expect(Kind.started, stream);
    link.exec(["/bin/true"], { stream, id: "other-id" });
    expect(readFail(await link.next(stream))).toEqual({ errno: errno.EEXIST, step: "stream" });
    await link.exit(stream);
    link.release(stream);
  });

  it(`loses no trailing byte in ${QUICK_COMMANDS} quick commands`, async () => {
    const { link } = agent;
    const one = async (n: number) => {
      const { stdout, stderr, code } = await runCommand(link, [
        "sh",
        "-c",
        `printf ${n}; printf e${n} >&2; exit ${n % 100}`,
      ]);
      expect([stdout.toString(), stderr.toString(), code]).toEqual([`${n}`, `e${n}`, n % 100]);
    };
    for (let n = 0; n < QUICK_COMMANDS; n += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, i) => one(n + i)));
    }
  }, 120_000);

  it("reports the exit while a background child holds the pipe, then its bytes and the end", async () => {
    const { link } = agent;
    const stream = link.exec(["sh", "-c", "(sleep 0.3; echo late) & echo early"]);
    await link.expect(Kind.started, stream);
    expect((await link.expect(Kind.out, stream)).payload.toString()).toBe("early\n");
    expect(await link.exit(stream)).toMatchObject({
      code: 0,
      open: 3,
      totals: [6, 0],
    });
    const rest = await Promise.all([1, 2, 3].map(() => link.next(stream)));
    expect(rest.filter((frame) => frame.kind === Kind.end)).toHaveLength(2);
    expect(rest.find((frame) => frame.kind === Kind.out)).toMatchObject({ offset: 6 });
    link.release(stream);
  });

  it("kills the whole session at the time-out", async () => {
    const started = Date.now();
    const args = ["bash", "-c", "set -m; sleep 1000 & sleep 1000 & wait"];
    const stream = agent.link.exec(args, { timeoutMs: 200 });
    const collector = new Collector(agent.link, stream);
    expect(await collector.result).toMatchObject({ cause: 1, code: signals.SIGKILL, reason: 1 });
    await collector.closed;
    agent.link.release(stream);
    agent.link.unlisten(stream);
    expect(Date.now() - started).toBeGreaterThanOrEqual(190);
    expect(Date.now() - started).toBeLessThan(5000);
  });

  it("does not blame the time-out for an earlier end", async () => {
    expect(await runCommand(agent.link, ["/bin/true"], { timeoutMs: 5000 })).toMatchObject({
      code: 0,
      reason: 0,
    });
  });

  it("signals a process, its group, and its session", async () => {
    const { link } = agent;
    // The shell with job control puts the child in a group of its own.
    const child =
      'trap "echo child; exit" USR1; trap "echo alive" USR2; echo up; while :; do sleep 0.05; done';
    const script = `trap 'echo got' USR1; trap : USR2; set -m; sh -c '${child}' & wait; wait; wait`;
    for (const [scope, expected] of [
      [0, ["alive", "got", "up"]],
      [1, ["alive", "got", "up"]],
      [2, ["child", "got", "up"]],
    ] as const) {
      const stream = link.exec(["bash", "-c", script]);
      const collector = new Collector(link, stream);
      let text = "";
      collector.onFrame = (frame) => {
        if (frame.kind === Kind.out) text += frame.payload.toString();
      };
      await expect.poll(() => text).toContain("up\n");
      link.signal(stream, signals.SIGUSR1, scope);
      await expect.poll(() => text).toContain("got\n");
      // A child that had the first one, too, tells that before it tells of this one.
      link.signal(stream, signals.SIGUSR2, 2);
      await expect.poll(() => text.trimEnd().split("\n").toSorted()).toEqual(expected);
      link.signal(stream, signals.SIGKILL, 2);
      await collector.closed;
      link.release(stream);
      link.unlisten(stream);
    }
  });

  it("refuses signals that make no sense", async () => {
    const { link } = agent;
    const stream = link.exec(["/bin/true"]);
    await link.expect(Kind.started, stream);
    await link.exit(stream);
    link.signal(stream, signals.SIGTERM);
    expect(readFail(await link.next(stream)).errno).toBe(errno.ESRCH);
    link.signal(stream, 99);
    expect(readFail(await link.next(stream)).errno).toBe(errno.EINVAL);
    link.release(stream);
    link.signal(stream, signals.SIGTERM);
    expect(readFail(await link.next(stream)).errno).toBe(errno.ESRCH);
  });

  it("reads and drops what a released process goes on writing", async () => {
    const { link } = agent;
    const mark = join(agent.folder, "released");
    const stream = link.exec(["sh", "-c", `head -c 3000000 /dev/zero; echo done > ${mark}`]);
    await link.expect(Kind.started, stream);
    link.release(stream);
    await expect
      .poll(() => runCommand(link, ["cat", mark]).then((result) => result.stdout.toString()))
      .toBe("done\n");
  });

  it("lists the processes", async () => {
    const { link } = agent;
    const sleeper = link.exec(["sleep", "77"]);
    const pid = (await link.expect(Kind.started, sleeper)).payload.readUInt32LE(0);
    const listed = async (): Promise<string[]> => {
      const stream = link.stream();
      link.send(Kind.processes, stream);
      const { payload } = await link.expect(Kind.processList, stream);
      expect(payload.readUInt8(0)).toBe(0);
      return processLines(payload);
    };
    // The kernel lets PID 1 go on a moment before the program's arguments can be read, and before it sleeps.
    await expect.poll(listed).toContain(`${pid} ${pid} S sleep 77`);
    link.signal(sleeper, signals.SIGKILL);
    await link.exit(sleeper);
    link.release(sleeper);
  });

  it("passes a megabyte of arguments and refuses more", async () => {
    const { link } = agent;
    const words = Array.from({ length: 9 }, () => "x".repeat(100_000));
    const { stdout } = await runCommand(link, ["sh", "-c", 'echo "$@" | wc -c', ...words]);
    expect(stdout.toString().trim()).toBe(String(8 * 100_001));
    const { fail } = await runCommand(link, ["/bin/true", "x".repeat(200_000)]);
    expect(fail).toEqual({ errno: errno.E2BIG, step: "exec" });
  });
});
