import { CHANNEL, encodeAck, encodeFrame, FRAME_KIND } from "@agentos/protocol";
import { expect, test } from "vitest";

import { floodBytes } from "../src/fake-programs.ts";
import { PIPE_BYTES } from "../src/piped-output.ts";
import { RecordingSink } from "../src/recording-sink.ts";
import { processRequest, startVm } from "./start-vm.ts";

async function run(argv: readonly string[], changes = {}) {
  const vm = await startVm();
  const sink = new RecordingSink();
  const process = await vm.startProcess(processRequest(argv, changes), sink);
  return { vm, sink, process };
}

test.each([
  [["true"], 0],
  [["/bin/false"], 1],
  [["exit", "42"], 42],
  [["sh", "-c", "true && exit 7"], 7],
  [["sh", "-c", "nonsense"], 127],
] as const)("%j exits with %i", async (argv, exitCode) => {
  const { process } = await run(argv);
  expect(await process.exited).toMatchObject({ exitCode, signal: null, timedOut: false });
});

test("stdout and stderr are apart, with totals", async () => {
  const { sink, process } = await run(["sh", "-c", "echo 'a  b'; echo c >&2; stderr d"]);
  sink.attach(process);
  expect(await process.exited).toMatchObject({ stdoutBytes: 5, stderrBytes: 4, stdoutOpen: false });
  expect(sink.stdout.toString()).toBe("a  b\n");
  expect(sink.stderr.toString()).toBe("c\nd\n");
});

test("without acknowledgements one window is sent and the program waits", async () => {
  const total = 2 * PIPE_BYTES;
  const { sink, process } = await run(["flood", String(total)]);
  await sink.until(({ stdout }) => stdout.byteLength === 4096);
  await new Promise((resolve) => setImmediate(resolve));
  expect(sink.stdout.byteLength).toBe(4096);
  process.send(encodeAck(1, CHANNEL.stdout, 1000));
  await sink.until(({ stdout }) => stdout.byteLength === 5096);
  sink.attach(process);
  expect(await process.exited).toMatchObject({ exitCode: 0, stdoutBytes: total });
  await sink.until(({ stdout }) => stdout.byteLength === total);
  expect(sink.stdout.equals(floodBytes(0, total))).toBe(true);
});

test("what the pipe held at the exit is sent after it, as credit allows", async () => {
  const { sink, process } = await run(["flood", "50000"]);
  expect(await process.exited).toMatchObject({ stdoutBytes: 50_000 });
  expect(sink.stdout.byteLength).toBe(4096);
  sink.attach(process);
  await sink.until(({ stdout }) => stdout.byteLength === 50_000);
});

test("an acknowledgement of what was never sent fails with ERANGE", async () => {
  const { sink, process } = await run(["echo", "x"]);
  await process.exited;
  process.send(encodeAck(1, CHANNEL.stdout, 3));
  await sink.until(({ frames }) => frames.length === 2);
  expect(sink.frames.at(-1)?.kind).toBe(FRAME_KIND.fail);
});

test("stdin reaches the program and is acknowledged when it is taken", async () => {
  const { sink, process } = await run(["cat"], { stdin: "pipe" });
  sink.attach(process);
  process.send(encodeFrame(FRAME_KIND.dataIn, 1, 0, Buffer.from("hello")));
  // A repeated part is cut.
  process.send(encodeFrame(FRAME_KIND.dataIn, 1, 3, Buffer.from("lo you")));
  process.send(encodeFrame(FRAME_KIND.eofIn, 1, 9));
  expect(await process.exited).toMatchObject({ exitCode: 0 });
  expect(sink.stdout.toString()).toBe("hello you");
  const acks = sink.frames.filter(({ kind }) => kind === FRAME_KIND.inAck);
  expect(acks.at(-1)?.offset).toBe(9);
});

test("stdin after the program's end is dropped and acknowledged", async () => {
  const { sink, process } = await run(["true"], { stdin: "pipe" });
  await process.exited;
  process.send(encodeFrame(FRAME_KIND.dataIn, 1, 0, Buffer.from("late")));
  await sink.until(({ frames }) => frames.length === 1);
  expect(sink.frames[0]).toMatchObject({ kind: FRAME_KIND.inAck, offset: 4 });
});

test("a gap in stdin and more than its window fail with ERANGE", async () => {
  const { sink, process } = await run(["sleep"], { stdin: "pipe" });
  process.send(encodeFrame(FRAME_KIND.dataIn, 1, 5, Buffer.from("x")));
  process.send(encodeFrame(FRAME_KIND.dataIn, 1, 0, Buffer.alloc(4097)));
  await sink.until(({ frames }) => frames.length === 2);
  expect(sink.frames.map(({ kind }) => kind)).toEqual([FRAME_KIND.fail, FRAME_KIND.fail]);
});

test("a signal ends a sleeping process; SIGKILL ends a stubborn one", async () => {
  const { process } = await run(["sleep"]);
  process.signal("SIGWINCH", "process");
  process.signal("SIGTERM", "process");
  expect(await process.exited).toMatchObject({ exitCode: null, signal: "SIGTERM" });
  const { process: stubborn, sink } = await run(["stubborn"]);
  await sink.until(({ stdout }) => stdout.toString() === "ready\n");
  stubborn.signal("SIGTERM", "group");
  stubborn.signal("SIGKILL", "group");
  expect(await stubborn.exited).toMatchObject({ signal: "SIGKILL" });
});

test("a time-out ends the process", async () => {
  const { process } = await run(["sleep"], { timeoutMs: 1 });
  expect(await process.exited).toMatchObject({ signal: "SIGKILL", timedOut: true });
});

test("a background child holds the channels after the exit; END follows its last byte", async () => {
  const { sink, process } = await run(["background", "later"]);
  sink.attach(process);
  expect(await process.exited).toMatchObject({ exitCode: 0, stdoutBytes: 0, stdoutOpen: true });
  process.signal("SIGUSR1", "session");
  await sink.ended(CHANNEL.stderr);
  expect(sink.stdout.toString()).toBe("later\n");
});

test("a released process runs on unheard, and its id stays used", async () => {
  const { vm, sink, process } = await run(["flood", String(4 * PIPE_BYTES)]);
  const heard = sink.frames.length;
  process.close();
  expect(await process.exited).toMatchObject({ exitCode: 0 });
  expect(sink.frames.length).toBe(heard);
  await expect(
    vm.startProcess(processRequest(["true"]), new RecordingSink()),
  ).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
});

test("what can't be started is refused with its code", async () => {
  const vm = await startVm();
  vm.files.tree.writeText("/workspace/data", "");
  const start = (argv: string[], changes = {}) =>
    vm.startProcess(processRequest(argv, changes), new RecordingSink());
  await expect(start(["nonsense"])).rejects.toMatchObject({
    code: "COMMAND_NOT_FOUND",
    details: { command: "nonsense", exitCode: 127 },
  });
  await expect(start(["__proto__"])).rejects.toMatchObject({ code: "COMMAND_NOT_FOUND" });
  await expect(start(["/workspace/data"])).rejects.toMatchObject({
    code: "COMMAND_NOT_EXECUTABLE",
  });
  await expect(start(["true"], { cwd: "/nowhere" })).rejects.toMatchObject({ errno: "ENOENT" });
});

test("a VM that dies breaks its streams and invents no exit", async () => {
  const { vm, sink, process } = await run(["sleep"]);
  expect((await vm.processes()).processes.map(({ pid }) => pid)).toEqual([1, 2]);
  vm.die("test");
  await expect(process.exited).rejects.toMatchObject({ code: "VM_ENDED" });
  expect(await sink.broken).toMatchObject({ code: "VM_ENDED" });
  expect(await vm.ended).toEqual({ kind: "died", detail: "test" });
});
