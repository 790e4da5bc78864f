import { CHANNEL, FRAME_KIND } from "@agentos/protocol";
import { expect, test } from "vitest";

import { RecordingSink } from "../src/recording-sink.ts";
import { processRequest, startVm } from "./start-vm.ts";

const START = { stdout: 0, stderr: 0 };

test("a logged program never waits; every reader gets the last window and END", async () => {
  const vm = await startVm();
  const own = new RecordingSink();
  const request = processRequest(["flood", "10000"], { output: "logged" });
  const process = await vm.startProcess(request, own);
  expect(await process.exited).toMatchObject({ exitCode: 0, stdoutBytes: 10_000 });
  expect(own.frames).toEqual([]);
  for (const from of [0, 9_000]) {
    const sink = new RecordingSink();
    const log = await vm.openLog("p-1", { stdout: from, stderr: 0 }, sink);
    sink.attach(log);
    await sink.ended();
    const first = sink.frames.find(({ kind }) => kind === FRAME_KIND.out);
    // The gap is a jump of the offset.
    expect(first?.offset).toBe(Math.max(from, 10_000 - 4096));
    expect(sink.stdout.byteLength).toBe(Math.min(4096, 10_000 - from));
  }
});

test("a reader follows a running program until it closes", async () => {
  const vm = await startVm();
  const request = processRequest(["stubborn"], { output: "logged" });
  const process = await vm.startProcess(request, new RecordingSink());
  const sink = new RecordingSink();
  const log = await vm.openLog("p-1", START, sink);
  sink.attach(log);
  await sink.until(({ stdout }) => stdout.toString() === "ready\n");
  process.signal("SIGKILL", "process");
  await sink.ended(CHANNEL.stderr);
  expect(sink.frames.at(-1)).toMatchObject({ kind: FRAME_KIND.end, offset: 0 });
  log.close();
});

test("a log of an unknown or a piped process is refused", async () => {
  const vm = await startVm();
  await vm.startProcess(processRequest(["sleep"]), new RecordingSink());
  await expect(vm.openLog("p-2", START, new RecordingSink())).rejects.toMatchObject({
    code: "NOT_FOUND",
  });
  await expect(vm.openLog("p-1", START, new RecordingSink())).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
});
