import { createHash } from "node:crypto";

import type { ProcessRequest, VmHandle } from "@agentos/core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { CollectingSink } from "./collecting-sink.ts";
import { DriverFixture, nextId, processRequest, run } from "./linux-vm-fixture.ts";

let fixture: DriverFixture;
let vm: VmHandle;

beforeAll(async () => {
  fixture = await DriverFixture.start();
  vm = await fixture.create();
});

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
});

test("a program's outputs and exit code come back", async () => {
  expect(await run(vm, ["true"])).toMatchObject({ exit: { exitCode: 0, signal: null } });
  expect(await run(vm, ["echo", "hello"])).toMatchObject({ stdout: "hello\n", stderr: "" });
  const both = await run(vm, ["sh", "-c", "echo out; echo err >&2; exit 7"]);
  expect(both).toMatchObject({ stdout: "out\n", stderr: "err\n", exit: { exitCode: 7 } });
});

test("a signal that ends a program is named", async () => {
  const { exit } = await run(vm, ["sh", "-c", "kill -TERM $$"]);
  expect(exit).toMatchObject({ exitCode: null, signal: "SIGTERM", timedOut: false });
});

test("a signal reaches the process", async () => {
  const sink = new CollectingSink();
  const started = await vm.startProcess(processRequest(vm, ["sleep", "1000"]), sink);
  started.signal("SIGINT", "group");
  expect(await started.exited).toMatchObject({ signal: "SIGINT" });
  // Too late, and no fault of the stream.
  started.signal("SIGINT", "process");
  await vm.ping();
  expect(sink.failures).toEqual([]);
  started.close();
});

test("a program past its time-out is killed with its children", async () => {
  const { exit } = await run(vm, ["sh", "-c", "sleep 1000 & sleep 1000"], { timeoutMs: 50 });
  expect(exit).toMatchObject({ signal: "SIGKILL", timedOut: true });
});

test("stdin arrives whole and ends", async () => {
  const bytes = Buffer.alloc(3_000_000, "abcdefg\n");
  const { stdout } = await run(vm, ["sha256sum"], {}, bytes);
  expect(stdout).toBe(`${createHash("sha256").update(bytes).digest("hex")}  -\n`);
});

test("100 MiB of output lose and double nothing", async () => {
  const sink = new CollectingSink();
  const command = "seq 1 99999999 | head -c 104857600 | tee /tmp/sum >/dev/stdout";
  const started = await vm.startProcess(processRequest(vm, ["sh", "-c", command]), sink);
  sink.attach(started);
  const exit = await started.exited;
  sink.total(0, exit.stdoutBytes);
  sink.total(1, exit.stderrBytes);
  await sink.complete();
  started.close();
  const hash = createHash("sha256");
  for (const bytes of sink.stdout) hash.update(bytes);
  expect(exit.stdoutBytes).toBe(104_857_600);
  const { stdout } = await run(vm, ["sha256sum", "/tmp/sum"]);
  expect(stdout).toBe(`${hash.digest("hex")}  /tmp/sum\n`);
  await vm.files.rm("/tmp/sum", { recursive: false, force: false });
});

test("a reader that stops costs one window and stalls nobody else", async () => {
  const sink = new CollectingSink();
  const started = await vm.startProcess(processRequest(vm, ["yes"]), sink);
  // Never attached: nothing is acknowledged. Another process runs meanwhile.
  expect((await run(vm, ["echo", "still here"])).stdout).toBe("still here\n");
  expect(Buffer.concat(sink.stdout).byteLength).toBeLessThanOrEqual(256 * 1024);
  started.signal("SIGKILL", "session");
  expect(await started.exited).toMatchObject({ signal: "SIGKILL" });
  started.close();
});

test("1,000 quick programs in a row lose no output", async () => {
  for (let at = 0; at < 1000; at++) {
    // One after the other is the point.
    // oxlint-disable-next-line no-await-in-loop
    const { stdout } = await run(vm, ["echo", String(at)]);
    expect(stdout).toBe(`${at}\n`);
  }
});

test("a command that can't run says why", async () => {
  await expect(start(["no-such-command"])).rejects.toMatchObject({
    code: "COMMAND_NOT_FOUND",
    details: { command: "no-such-command", exitCode: 127 },
  });
  await expect(start(["/etc/passwd"])).rejects.toMatchObject({
    code: "COMMAND_NOT_EXECUTABLE",
    details: { errno: "EACCES", exitCode: 126 },
  });
  await expect(start(["/usr"])).rejects.toMatchObject({ code: "COMMAND_NOT_EXECUTABLE" });
  await expect(start(["echo", "x".repeat(200_000)])).rejects.toMatchObject({
    code: "ARGUMENTS_TOO_LONG",
  });
  await expect(start(Array(100_000).fill("yy"))).rejects.toMatchObject({
    code: "ARGUMENTS_TOO_LONG",
  });
  await expect(start(["true"], { cwd: "/nowhere" })).rejects.toMatchObject({
    code: "FILE_SYSTEM",
    errno: "ENOENT",
    message: "ENOENT: no such file or directory, chdir '/nowhere'",
  });
  await expect(start(["true\0"])).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("an id can be used once", async () => {
  const request = processRequest(vm, ["true"]);
  await run(vm, ["true"], { processId: request.processId });
  await expect(vm.startProcess(request, new CollectingSink())).rejects.toMatchObject({
    code: "ALREADY_EXISTS",
    details: { kind: "process", id: request.processId },
  });
});

test("a process that is released before its end says so", async () => {
  const started = await vm.startProcess(
    processRequest(vm, ["sleep", "0.01"]),
    new CollectingSink(),
  );
  started.close();
  await expect(started.exited).rejects.toMatchObject({ code: "DISPOSED" });
});

test("a logged process has many readers, and never blocks", async () => {
  const processId = nextId();
  const own = new CollectingSink();
  const request = { processId, output: "logged" as const, windowBytes: 65_536 };
  const started = await vm.startProcess(
    processRequest(vm, ["sh", "-c", "seq 1 1000; echo end >&2"], request),
    own,
  );
  const exit = await started.exited;
  expect(exit.exitCode).toBe(0);
  const expected = (await run(vm, ["seq", "1", "1000"])).stdout;
  const read = async (): Promise<string> => {
    const sink = new CollectingSink();
    const reader = await vm.openLog(processId, { stdout: 0, stderr: 0 }, sink);
    sink.attach(reader);
    await sink.complete();
    reader.close();
    expect(sink.text("stderr")).toBe("end\n");
    return sink.text();
  };
  expect(await Promise.all([read(), read()])).toEqual([expected, expected]);
  started.close();
  await expect(read()).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("the process list names what was started by its id", async () => {
  const processId = nextId();
  const sleeper = await vm.startProcess(
    processRequest(vm, ["sleep", "1000"], { processId }),
    new CollectingSink(),
  );
  const expected = expect.objectContaining({ processId, pid: sleeper.pid, command: "sleep 1000" });
  // The command line of a new program shows a moment after it began.
  await expect
    .poll(async () => (await vm.processes()).processes, { timeout: 10_000 })
    .toContainEqual(expected);
  const { processes, truncated } = await vm.processes();
  expect(truncated).toBe(false);
  expect(processes.find((info) => info.pid === 1)).toMatchObject({ ppid: 0 });
  sleeper.signal("SIGKILL", "process");
  await sleeper.exited;
  sleeper.close();
});

test("the guest is agent, has a shell's usual surroundings, and nothing of the host's environment", async () => {
  const { stdout } = await run(vm, [
    "sh",
    "-c",
    "id -un; hostname; pwd; echo $HOME; env | cut -d= -f1 | sort",
  ]);
  const lines = stdout.trim().split("\n");
  expect(lines.slice(0, 4)).toEqual(["agent", "agentos", "/workspace", "/home/agent"]);
  expect(lines.slice(4)).toEqual(["HOME", "LANG", "LOGNAME", "PATH", "PWD", "SHELL", "USER"]);
});

test("the sidecar's Node comes first on PATH and runs", async () => {
  const { stdout } = await run(vm, ["node", "-p", "process.version"]);
  expect(stdout.trim()).toBe(process.version);
});

function start(argv: string[], change: Partial<ProcessRequest> = {}): Promise<unknown> {
  return vm.startProcess(processRequest(vm, argv, change), new CollectingSink());
}
