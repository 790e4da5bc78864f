import { CHANNEL, encodeAck, encodeFrame, FRAME_KIND, type VmScope } from "@agentos/protocol";
import { floodBytes } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { BOUNDS } from "../../src/bounds.ts";
import { type TestClient, TestSidecar, type TestSidecarOptions } from "../sidecar-harness.ts";

async function setUp(options: TestSidecarOptions = {}) {
  const world = await TestSidecar.start(options);
  const client = await world.connect();
  const { lease } = await client.create({ env: { FROM: "spec", BOTH: "spec" } });
  const { vmId, fence } = lease;
  const stack = new AsyncDisposableStack();
  stack.use(world);
  stack.use(client);
  return {
    world,
    client,
    scope: { vmId, fence },
    lease,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function list(client: TestClient, scope: VmScope) {
  return (await client.peer.request("process.list", scope)).processes;
}

describe("process handlers", () => {
  test("exec answers with the end, and the output travels on its stream", async () => {
    await using run = await setUp();
    const { exit, sink, processId } = run.client.exec(run.scope, ["echo", "hello"]);
    await expect(exit).resolves.toMatchObject({
      processId,
      exitCode: 0,
      signal: null,
      outcome: "exited",
      stdoutBytes: 6,
      stderrBytes: 0,
      stdoutOpen: false,
    });
    expect(sink.stdout.toString()).toBe("hello\n");
  });

  test("the environment is the driver's, then the VM's, then the process's", async () => {
    await using run = await setUp();
    const { exit, sink } = run.client.exec(run.scope, ["env"], {
      env: { BOTH: "process", __proto__x: "1" },
    });
    await exit;
    expect(sink.stdout.toString().trim().split("\n").toSorted()).toEqual([
      "BOTH=process",
      "FROM=spec",
      "HOME=/home/agent",
      "PATH=/bin",
      "USER=agent",
      "__proto__x=1",
    ]);
  });

  test("stdin that is sent with the request arrives whole, though the process had not begun", async () => {
    await using run = await setUp();
    const { exit, sink, stream } = run.client.exec(run.scope, ["cat"], { stdin: "pipe" });
    run.client.peer.sendFrame(encodeFrame(FRAME_KIND.dataIn, stream, 0, Buffer.from("one ")));
    run.client.peer.sendFrame(encodeFrame(FRAME_KIND.dataIn, stream, 4, Buffer.from("two")));
    run.client.peer.sendFrame(encodeFrame(FRAME_KIND.eofIn, stream, 7));
    await expect(exit).resolves.toMatchObject({ exitCode: 0 });
    expect(sink.stdout.toString()).toBe("one two");
  });

  test("output far beyond the window arrives whole; without acknowledgements the program waits", async () => {
    await using run = await setUp();
    const total = 1_000_000;
    const flood = run.client.exec(run.scope, ["flood", String(total)], { windowBytes: 65_536 });
    await expect(flood.exit).resolves.toMatchObject({ stdoutBytes: total });
    await flood.sink.until(({ stdout }) => stdout.byteLength === total);
    expect(Buffer.compare(flood.sink.stdout, floodBytes(0, total))).toBe(0);
    const { stream, sink } = run.client.openStream(false);
    const held = {
      ...run.scope,
      stream,
      processId: "held",
      argv: ["flood", String(total)],
      windowBytes: 65_536,
    };
    await run.client.peer.request("process.spawn", held);
    await sink.until(({ stdout }) => stdout.byteLength >= 65_536);
    await run.client.peer.request("ping", {});
    expect(sink.stdout.byteLength).toBe(65_536);
    expect(await list(run.client, run.scope)).toMatchObject([
      { processId: "held", state: "running" },
    ]);
  });

  test("a stalled stream delays neither another stream nor a control message", async () => {
    await using run = await setUp();
    const { stream, sink } = run.client.openStream(false);
    const held = {
      ...run.scope,
      stream,
      processId: "held",
      argv: ["flood", "9999999"],
      windowBytes: 4_096,
    };
    await run.client.peer.request("process.spawn", held);
    await sink.until(({ stdout }) => stdout.byteLength >= 4_096);
    for (let count = 0; count < 20; count += 1) {
      const { exit, sink: other } = run.client.exec(run.scope, ["echo", String(count)]);
      // oxlint-disable-next-line no-await-in-loop -- One after the other is the point.
      await exit;
      expect(other.stdout.toString()).toBe(`${count}\n`);
    }
  });

  test("[exec.once] exec is forgotten once its output is received; its repeated request answers the same and starts nothing", async () => {
    await using run = await setUp();
    const first = run.client.exec(run.scope, ["echo", "hello"], { processId: "p" });
    const exit = await first.exit;
    expect(await list(run.client, run.scope)).toEqual([]);
    const repeated = run.client.exec(run.scope, ["echo", "hello"], { processId: "p" });
    await expect(repeated.exit).resolves.toEqual(exit);
    await repeated.sink.until(({ frames }) => frames.length > 0);
    expect(repeated.sink.frames).toMatchObject([{ kind: FRAME_KIND.fail }]);
  });

  test("a repeated request of a running process starts nothing and shares the end", async () => {
    await using run = await setUp();
    const both = [1, 2].map(() => run.client.exec(run.scope, ["sleep"], { processId: "p" }));
    expect(await list(run.client, run.scope)).toHaveLength(1);
    expect(run.world.driver.vm(run.scope.vmId).running).toHaveLength(1);
    await run.client.peer.request("process.signal", {
      ...run.scope,
      processId: "p",
      signal: "SIGINT",
    });
    const exits = await Promise.all(both.map(({ exit }) => exit));
    expect(exits[0]).toMatchObject({ outcome: "signaled", signal: "SIGINT", exitCode: null });
    expect(exits[1]).toEqual(exits[0]);
  });

  test("a cancelled exec is killed with its session, and ends as cancelled", async () => {
    await using run = await setUp();
    const controller = new AbortController();
    const { exit } = run.client.exec(
      run.scope,
      ["stubborn"],
      { processId: "p" },
      controller.signal,
    );
    await run.client.peer.request("ping", {});
    const repeated = run.client.exec(run.scope, ["stubborn"], { processId: "p" });
    await run.client.peer.request("ping", {});
    controller.abort();
    await expect(exit).rejects.toMatchObject({ code: "CANCELLED" });
    await expect(repeated.exit).resolves.toMatchObject({ outcome: "cancelled", signal: "SIGKILL" });
    expect(run.world.driver.vm(run.scope.vmId).running).toEqual([]);
  });

  test("a time-out is told as such", async () => {
    await using run = await setUp();
    const { exit } = run.client.exec(run.scope, ["sleep"], { timeoutMs: 1 });
    await expect(exit).resolves.toMatchObject({ outcome: "timed_out" });
  });

  test("spawn answers when it runs, and process.exited comes after that answer", async () => {
    await using run = await setUp();
    const { stream } = run.client.openStream();
    const started = await run.client.peer.request("process.spawn", {
      ...run.scope,
      stream,
      processId: "p",
      argv: ["exit", "7"],
    });
    expect(started).toEqual({ processId: "p", pid: expect.any(Number) });
    expect(run.client.events).toEqual([]);
    await expect(run.client.event("process.exited")).resolves.toMatchObject({
      vmId: run.scope.vmId,
      processId: "p",
      exitCode: 7,
    });
    expect(await list(run.client, run.scope)).toMatchObject([
      { processId: "p", state: "exited", exit: { exitCode: 7 } },
    ]);
    const ref = { ...run.scope, processId: "p" };
    await run.client.peer.request("process.signal", { ...ref, signal: "SIGTERM" });
    await run.client.peer.request("process.release", ref);
    await run.client.peer.request("process.release", ref);
    expect(await list(run.client, run.scope)).toEqual([]);
  });

  test("a release on its stream forgets a process, and one with a payload or on no stream does nothing", async () => {
    await using run = await setUp();
    const { stream } = run.client.openStream();
    const request = { ...run.scope, stream, processId: "p", argv: ["exit", "7"] };
    await run.client.peer.request("process.spawn", request);
    await run.client.event("process.exited");
    run.client.peer.sendFrame(encodeFrame(FRAME_KIND.release, stream, 0, Uint8Array.of(1)));
    run.client.peer.sendFrame(encodeFrame(FRAME_KIND.release, stream + 1000, 0));
    expect(await list(run.client, run.scope)).toMatchObject([{ processId: "p" }]);
    run.client.peer.sendFrame(encodeFrame(FRAME_KIND.release, stream, 0));
    expect(await list(run.client, run.scope)).toEqual([]);
    run.client.peer.sendFrame(encodeFrame(FRAME_KIND.release, stream, 0));
    const ref = { ...run.scope, processId: "p" };
    await run.client.peer.request("process.release", ref);
  });

  test("a logged process is read by several, from where they like", async () => {
    await using run = await setUp();
    const own = run.client.openStream();
    await run.client.peer.request("process.spawn", {
      ...run.scope,
      stream: own.stream,
      processId: "p",
      argv: ["echo", "hello"],
      output: "logged",
    });
    await run.client.event("process.exited");
    for (const [from, expected] of [
      [0, "hello\n"],
      [2, "llo\n"],
    ] as const) {
      const { stream, sink } = run.client.openStream();
      const ref = { ...run.scope, processId: "p", stream, stdoutFrom: from };
      // oxlint-disable-next-line no-await-in-loop -- Two readers, one after the other.
      await expect(run.client.peer.request("process.log", ref)).resolves.toMatchObject({
        output: "logged",
      });
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await sink.ended();
      expect(sink.stdout.toString()).toBe(expected);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await run.client.peer.request("stream.close", { ...run.scope, stream });
    }
  });

  test("a command that is not there is 127, one that can't run is 126, and leaves no process", async () => {
    await using run = await setUp();
    await expect(run.client.exec(run.scope, ["nope"]).exit).rejects.toMatchObject({
      code: "COMMAND_NOT_FOUND",
      details: { command: "nope", exitCode: 127 },
    });
    await expect(run.client.exec(run.scope, ["/workspace"]).exit).rejects.toMatchObject({
      code: "COMMAND_NOT_EXECUTABLE",
      details: { exitCode: 126 },
    });
    expect(await list(run.client, run.scope)).toEqual([]);
  });

  test("bad arguments change nothing: NUL, relative cwd, no program, too many bytes, a process that is not there", async () => {
    await using run = await setUp();
    const attempts = [
      { argv: ["echo", "a\0b"] },
      { argv: [] },
      { argv: ["true"], cwd: "relative" },
      { argv: ["true"], env: { "A=B": "x" } },
    ];
    for (const { argv, ...more } of attempts) {
      // oxlint-disable-next-line no-await-in-loop -- Each must leave nothing for the next.
      await expect(run.client.exec(run.scope, argv, more).exit).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    }
    const tooMuch = Array.from({ length: 10 }, () => "x".repeat(90_000));
    await expect(run.client.exec(run.scope, ["true", ...tooMuch]).exit).rejects.toMatchObject({
      code: "ARGUMENTS_TOO_LONG",
      details: { limit: 768 * 1024 },
    });
    const ref = { ...run.scope, processId: "nope" };
    await expect(run.client.peer.request("process.release", ref)).rejects.toMatchObject({
      code: "NOT_FOUND",
      details: { kind: "process", id: "nope" },
    });
    expect(run.world.driver.vm(run.scope.vmId).running).toEqual([]);
    expect(await list(run.client, run.scope)).toEqual([]);
  });

  test("processes per VM have a bound, and those that were read make room", async () => {
    await using run = await setUp();
    const spawn = async (processId: string, argv: string[]): Promise<void> => {
      const { stream } = run.client.openStream();
      await run.client.peer.request("process.spawn", { ...run.scope, stream, processId, argv });
    };
    await spawn("read", ["true"]);
    await run.client.event("process.exited");
    const rest = Array.from({ length: BOUNDS.processesPerVm }, (_, index) => `p${index}`);
    await Promise.all(rest.map((id) => spawn(id, ["sleep"])));
    expect((await list(run.client, run.scope)).some(({ processId }) => processId === "read")).toBe(
      false,
    );
    await expect(spawn("more", ["sleep"])).rejects.toMatchObject({
      code: "POOL_EXHAUSTED",
      details: { limit: "processesPerVm" },
    });
  });

  test("a piped process whose lease goes is killed while the VM lives on; a logged one stays", async () => {
    await using run = await setUp();
    await using other = await run.world.connect();
    await other.peer.request("vm.attach", { vm: run.scope.vmId, leaseId: "other", mode: "shared" });
    for (const output of ["piped", "logged"] as const) {
      const { stream } = run.client.openStream();
      const start = { ...run.scope, stream, processId: output, argv: ["sleep"], output };
      // oxlint-disable-next-line no-await-in-loop -- In this order.
      await run.client.peer.request("process.spawn", start);
    }
    await run.client.peer.request("lease.release", run.lease);
    const running = run.world.driver
      .vm(run.scope.vmId)
      .running.map(({ request }) => request.processId);
    expect(running).toEqual(["logged"]);
  });

  test("frames for unknown streams, and kinds that are not a client's, are dropped", async () => {
    await using run = await setUp();
    const { peer } = run.client;
    peer.sendFrame(encodeFrame(FRAME_KIND.dataIn, 4_711, 0, Buffer.from("x")));
    peer.sendFrame(encodeAck(4_712, CHANNEL.stdout, 9));
    const { exit, stream } = run.client.exec(run.scope, ["sleep"], { processId: "p" });
    peer.sendFrame(encodeFrame(FRAME_KIND.out, stream, 0, Buffer.from("x")));
    peer.sendFrame(encodeFrame(0x1a, stream, 0));
    await peer.request("process.signal", { ...run.scope, processId: "p", signal: "SIGTERM" });
    await expect(exit).resolves.toMatchObject({ signal: "SIGTERM" });
  });

  test("a stream number in use is refused and nothing starts", async () => {
    await using run = await setUp();
    const { stream } = run.client.exec(run.scope, ["sleep"]);
    await expect(run.client.exec(run.scope, ["true"], { stream }).exit).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
      details: { kind: "stream" },
    });
    expect(run.world.driver.vm(run.scope.vmId).running).toHaveLength(1);
  });

  test("more than a window before the stream began ends that connection only", async () => {
    await using run = await setUp();
    await using flooder = await run.world.connect();
    const gate = { vmId: run.scope.vmId, leaseId: "l2", mode: "shared" as const };
    const { lease } = await flooder.peer.request("vm.attach", {
      vm: gate.vmId,
      leaseId: gate.leaseId,
      mode: gate.mode,
    });
    const { stream } = flooder.exec(lease, ["cat"], { stdin: "pipe", windowBytes: 4_096 });
    flooder.peer.sendFrame(encodeFrame(FRAME_KIND.dataIn, stream, 0, Buffer.alloc(8_192)));
    await flooder.peer.closed;
    await expect(run.client.exec(run.scope, ["true"]).exit).resolves.toMatchObject({ exitCode: 0 });
  });
});
