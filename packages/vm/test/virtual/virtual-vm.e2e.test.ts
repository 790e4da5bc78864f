import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { VmRequest } from "@agentos/core";
import { VirtualDriver, type VirtualVm } from "@agentos/vm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { CollectingSink } from "../collecting-sink.ts";
import { processRequest, readFile, run, vmRequest, writeFile } from "../linux-vm-fixture.ts";

const driver = new VirtualDriver();
afterAll(() => driver[Symbol.asyncDispose]());

const signal = AbortSignal.timeout(60_000);
const create = (change: Partial<VmRequest> = {}): Promise<VirtualVm> =>
  driver.create(vmRequest(change), { signal });
const sh = (vm: VirtualVm, script: string, change = {}) =>
  run(vm, ["/bin/sh", "-c", script], change);

describe("a virtual VM's processes", () => {
  let vm: VirtualVm;
  beforeAll(async () => {
    vm = await create();
  });

  test("output comes while the script runs", async () => {
    const heard: string[] = [];
    const sink = new CollectingSink();
    const { promise: first, resolve } = Promise.withResolvers<void>();
    const frame = sink.frame.bind(sink);
    sink.frame = (bytes) => {
      frame(bytes);
      heard.push(sink.text());
      resolve();
    };
    const request = processRequest(vm, ["sh", "-c", "echo begun; sleep 1000; echo never"]);
    const process = await vm.startProcess(request, sink);
    sink.attach(process);
    await first;
    expect(heard).toEqual(["begun\n"]);
    process.signal("SIGTERM", "process");
    expect(await process.exited).toMatchObject({ exitCode: null, signal: "SIGTERM" });
    process.close();
  });

  test("streaming changes nothing of what a script says", async () => {
    const { exit, stdout, stderr } = await sh(
      vm,
      `f() { echo in-f; echo err-f >&2; return 3; }
       f; echo "$?"; x=$(f 2>/dev/null); echo "[$x]"; y=$(echo sub >&2)
       for i in 1 2 3; do if [ $i = 3 ]; then break; fi; echo $i; done | tr 12 ab
       ls /none || echo failed; { echo both; echo both >&2; } 2>&1 | wc -l | tr -d ' '
       echo kept > /tmp/kept; cat /tmp/kept; (exit 4); echo $?; false && echo no; exit 7`,
    );
    expect(stdout).toBe("in-f\n3\n[in-f]\na\nb\nfailed\n2\nkept\n4\n");
    expect(stderr.split("\n")[0]).toBe("err-f");
    expect(stderr).toContain("sub\n");
    expect(stderr).toContain("/none");
    expect(exit).toMatchObject({ exitCode: 7, signal: null, timedOut: false });
  });

  test("bytes are bytes, in, through and out", async () => {
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, at) => (at * 7) % 256));
    await writeFile(vm, "/workspace/bytes", bytes);
    const sums = await sh(vm, "sha256sum < /workspace/bytes; cat /workspace/bytes | sha256sum");
    const [direct, piped] = sums.stdout.split("\n");
    expect(piped).toBe(direct);
    const sink = new CollectingSink();
    const cat = await vm.startProcess(processRequest(vm, ["cat"], { stdin: "pipe" }), sink);
    sink.attach(cat);
    await sink.write(cat, bytes, 64 * 1024);
    const exit = await cat.exited;
    sink.total(0, exit.stdoutBytes);
    sink.total(1, exit.stderrBytes);
    await sink.complete();
    expect(Buffer.concat(sink.stdout).equals(bytes)).toBe(true);
    cat.close();
  });

  test("an unread stream holds its script at one window", async () => {
    const silent = new CollectingSink();
    const windowBytes = 8192;
    const request = processRequest(vm, ["sh", "-c", "while true; do echo 0123456789; done"], {
      windowBytes,
    });
    const process = await vm.startProcess(request, silent);
    // A neighbour in the same worker goes on, and by its end the writer has had its turns.
    expect((await sh(vm, "seq 1 1000 | tail -1")).stdout).toBe("1000\n");
    expect(Buffer.concat(silent.stdout).byteLength).toBeLessThanOrEqual(windowBytes);
    process.signal("SIGKILL", "session");
    const exit = await process.exited;
    expect(exit.stdoutBytes).toBeLessThanOrEqual(windowBytes);
    process.close();
  });

  test("a reader that comes back gets what it does not have, once", async () => {
    const first = new CollectingSink();
    const script = "seq 1 3000; sleep 0.05; seq 3001 6000";
    const request = processRequest(vm, ["sh", "-c", script], { windowBytes: 4096 });
    const frames: Uint8Array[] = [];
    const process = await vm.startProcess(request, {
      frame: (bytes) => void frames.push(bytes.slice()),
      closed: () => undefined,
    });
    // It never acknowledges: one window comes, and the rest waits.
    await sh(vm, "true");
    const before = frames.length;
    expect(before).toBeGreaterThan(0);
    await process.resume({ stdout: 0, stderr: 0 });
    for (let at = 0; frames.length === before && at < 1000; at += 1) await vm.ping();
    for (const frame of frames.slice(before)) first.frame(frame);
    expect(first.text().startsWith("1\n2\n3\n")).toBe(true);
    await expect(process.resume({ stdout: 2 ** 30, stderr: 0 })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    process.close();
    expect(await process.exited).toMatchObject({ signal: "SIGKILL" });
  });

  test("what a kernel would refuse never starts", async () => {
    await writeFile(vm, "/workspace/plain", "#!/bin/sh\n");
    await writeFile(vm, "/workspace/elf", Buffer.from("\x7fELF and more", "latin1"));
    await vm.files.chmod("/workspace/elf", 0o755);
    const refusals: [readonly string[], object, object?][] = [
      [["none"], { code: "COMMAND_NOT_FOUND" }],
      [["/workspace/plain"], { code: "COMMAND_NOT_EXECUTABLE" }],
      [["/workspace/elf"], { code: "UNSUPPORTED" }],
      [["git", "status"], { code: "UNSUPPORTED", details: { instead: expect.any(String) } }],
      [["true"], { code: "FILE_SYSTEM", details: { errno: "ENOENT" } }, { cwd: "/none" }],
      [["true"], { code: "UNSUPPORTED" }, { output: "logged" }],
    ];
    for (const [argv, expected, change] of refusals) {
      await expect(
        vm.startProcess(processRequest(vm, argv, change), new CollectingSink()),
      ).rejects.toMatchObject(expected);
    }
    expect((await vm.processes()).processes).toEqual([]);
  });
});

describe("a runaway", () => {
  test.each([
    ["a loop", "while :; do :; done"],
    ["a loop in a function", "f() { while :; do :; done; }; f"],
    ["arithmetic", "for ((;;)); do ((i++)); done"],
    ["sleep", "sleep 100000"],
    ["a script of a script", "bash -c 'while true; do x=1; done'"],
  ])("%s ends at its time-out", async (_name, script) => {
    const vm = await create();
    const { exit } = await run(vm, ["bash", "-c", script], { timeoutMs: 50 });
    expect(exit).toMatchObject({ exitCode: null, signal: "SIGKILL", timedOut: true });
    expect((await sh(vm, "echo fine")).stdout).toBe("fine\n");
    await vm[Symbol.asyncDispose]();
  });

  test("a full disk is ENOSPC, told as a limit, and leaves the VM usable", async () => {
    const vm = await create({ limits: { diskBytes: 1024 * 1024 } });
    const { promise: hit, resolve } = Promise.withResolvers<unknown>();
    vm.onLimit(resolve);
    const script =
      "x=0123456789; while true; do echo $x$x$x$x$x$x$x$x$x$x >> /workspace/f || exit 9; x=$x$x; done";
    const { exit, stderr } = await sh(vm, script);
    expect(exit.exitCode).not.toBe(0);
    expect(stderr).toContain("ENOSPC");
    expect(await hit).toEqual({ limit: "diskBytes", value: 1024 * 1024 });
    expect((await vm.stats()).diskBytes).toBeLessThanOrEqual(1024 * 1024);
    expect(
      (await sh(vm, "rm /workspace/f; echo again > /workspace/g; cat /workspace/g")).stdout,
    ).toBe("again\n");
    await vm[Symbol.asyncDispose]();
  });

  test("a process too many is EAGAIN, told as a limit", async () => {
    const vm = await create({ limits: { pids: 1 } });
    const hits: unknown[] = [];
    vm.onLimit((hit) => hits.push(hit));
    const sink = new CollectingSink();
    const sleeper = await vm.startProcess(processRequest(vm, ["sleep", "1000"]), sink);
    await expect(sh(vm, "true")).rejects.toMatchObject({ details: { errno: "EAGAIN" } });
    expect(hits).toEqual([{ limit: "pids", value: 1 }]);
    sleeper.close();
    await sleeper.exited;
    expect((await sh(vm, "echo room")).stdout).toBe("room\n");
    await vm[Symbol.asyncDispose]();
  });
});

describe("snapshots and forks", () => {
  test("a fork starts from the snapshot's files, and neither sees the other", async () => {
    const vm = await create();
    await sh(vm, "mkdir -p a/b; seq 1 2000 > a/b/file; echo one > a/one");
    await using snapshot = await driver.snapshot(vm);
    await sh(vm, "echo changed > a/one; rm -r a/b");
    const fork = await driver.fork(snapshot, vmRequest(), { signal });
    await sh(fork, "echo more >> a/one");
    expect((await sh(fork, "cat a/one; wc -l < a/b/file")).stdout.split(/\s+/)).toEqual([
      "one",
      "more",
      "2000",
      "",
    ]);
    expect((await sh(vm, "cat a/one; ls a")).stdout).toBe("changed\none\n");
    await vm[Symbol.asyncDispose]();
    expect((await readFile(fork, "/workspace/a/one")).toString()).toBe("one\nmore\n");
    await fork[Symbol.asyncDispose]();
  });
});

describe("host directories", () => {
  test("are copied in, and what the VM does stays in it", async () => {
    const source = mkdtempSync(join(tmpdir(), "virtual-"));
    try {
      writeFileSync(join(source, "file"), "host");
      const mounts = [{ kind: "host", source, target: "/workspace/in" }] as const;
      const vm = await create({ mounts });
      expect((await sh(vm, "cat in/file; echo vm > in/file; cat in/file")).stdout).toBe("hostvm\n");
      const { stdout } = await sh(vm, "cat in/file");
      expect(stdout).toBe("vm\n");
      await vm[Symbol.asyncDispose]();
      await expect(create({ mounts: [{ ...mounts[0], readOnly: false }] })).rejects.toMatchObject({
        code: "MOUNT_REFUSED",
      });
      await expect(create({ mounts, limits: { diskBytes: 2 } })).rejects.toMatchObject({
        code: "VM_START_FAILED",
        details: { errno: "ENOSPC" },
      });
      await expect(
        create({ mounts: [{ ...mounts[0], source: join(source, "none") }] }),
      ).rejects.toMatchObject({ code: "MOUNT_REFUSED" });
    } finally {
      rmSync(source, { recursive: true });
    }
  });
});
