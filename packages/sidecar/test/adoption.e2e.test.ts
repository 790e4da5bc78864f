import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";

import type { VmScope } from "@agentos/protocol";
import type { RecordingSink } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { BinProcess, temporaryDirectory } from "./bin-process.ts";
import type { TestClient } from "./sidecar-harness.ts";
import { startRequestOf } from "./start-request.ts";
import { openClient } from "./websocket-client.ts";

const LONG_MS = 3_600_000;
/** A line every 10 ms, numbered: 12 bytes each. */
const COUNT =
  "i=0; while [ $i -lt 300 ]; do i=$((i+1)); printf 'line %06d\\n' $i; sleep 0.01; done; exit 7";
const ALL = Array.from({ length: 300 }, (_, i) => `line ${String(i + 1).padStart(6, "0")}\n`).join(
  "",
);

const EXECS = 20;
/** From "not even started" to "some have ended". */
const KILLS_AFTER_MS = [0, 1, 3, 10, 30, 100, 200, 300];

/** One exec, repeated in each life until it has ended. */
class Run {
  readonly expected: { exitCode: number; stdout: string };
  readonly #id: string;
  readonly #argv: string[];
  #stdout = "";
  #exitCode: number | null | undefined;

  constructor(index: number) {
    this.#id = `p-${index}`;
    this.expected = { exitCode: index, stdout: "" };
    const lines = Array.from({ length: 10 * (index + 1) }, (_, line) => `${index}:${line}\n`);
    this.expected.stdout = lines.join("");
    const write = lines.map((line) => `echo ${line.trim()}; sleep 0.01`).join("; ");
    const started = "printf 'x\\n' >> /workspace/started";
    this.#argv = ["sh", "-c", `${started}; ${write}; exit ${index}`];
  }

  get result(): unknown {
    return { exitCode: this.#exitCode, stdout: this.#stdout };
  }

  /** Resolves at the end; rejects where the sidecar is killed before. */
  async goOn(client: TestClient, lease: VmScope): Promise<void> {
    if (this.#exitCode !== undefined) return;
    const before = this.#stdout;
    const received = { stdout: before.length, stderr: 0 };
    const { exit, sink } = client.exec(lease, this.#argv, { processId: this.#id, received });
    try {
      const { exitCode, stdoutBytes } = await exit;
      await Promise.race([sink.until(has(stdoutBytes - before.length)), client.peer.closed]);
      if (before.length + sink.stdout.byteLength === stdoutBytes) this.#exitCode = exitCode;
    } finally {
      this.#stdout = before + sink.stdout.toString();
    }
  }
}

async function kill(bin: BinProcess): Promise<void> {
  bin.child.kill("SIGKILL");
  await bin.exit;
}

const has = (bytes: number) => (sink: RecordingSink) => sink.stdout.byteLength >= bytes;

describe("kill -9 of the bin", () => {
  test("[adopt.exec] the next one adopts the VM, and an exec in it ends with each byte once and its true exit code", async () => {
    await using directory = await temporaryDirectory();
    const request = startRequestOf(directory.path, { pool: "default", idleMs: LONG_MS });
    await using first = BinProcess.start(request);
    const ready = await first.ready();
    await using client = await openClient(ready.listen, ready.apiKey);
    const { lease, vm } = await client.create({ vmId: "vm-a", leaseId: "l1" });
    const exec = { processId: "p" };
    const argv = ["sh", "-c", COUNT];
    const before = client.exec(lease, argv, exec);
    await before.sink.until(has(120));
    const silent = client.exec(lease, ["sh", "-c", "sleep 0.3; exit 9"], { processId: "silent" });
    await client.peer.request("ping", {});
    await kill(first);
    await client.peer.closed;
    await using second = BinProcess.start(request);
    const next = await second.ready();
    expect(next.epoch).toBe(2);
    await using again = await openClient(next.listen, next.apiKey);
    await expect(again.peer.request("lease.resume", lease)).resolves.toEqual(lease);
    const stdout = before.sink.stdout.byteLength;
    const after = again.exec(lease, argv, { ...exec, received: { stdout, stderr: 0 } });
    const repeated = again.exec(lease, ["sh", "-c", "sleep 0.3; exit 9"], {
      processId: "silent",
      received: { stdout: 0, stderr: 0 },
    });
    await expect(after.exit).resolves.toMatchObject({ exitCode: 7, outcome: "exited" });
    await expect(repeated.exit).resolves.toMatchObject({ exitCode: 9 });
    await after.sink.until(has(ALL.length - stdout));
    expect(before.sink.stdout.toString() + after.sink.stdout.toString()).toBe(ALL);
    await expect(silent.exit).rejects.toMatchObject({ code: "CONNECTION_LOST" });
    const { vmId, fence } = lease;
    const info = await again.peer.request("vm.info", { vmId, fence });
    expect(info).toMatchObject({ epoch: 2, createdAt: vm.createdAt });
    await again.peer.request("lease.release", lease);
    second.child.kill("SIGTERM");
    await expect(second.exit).resolves.toEqual({ code: 0, signal: null });
  });

  test("[adopt.exec] killed again and again at any moment: every exec of many ends once, whole and truly", async () => {
    await using directory = await temporaryDirectory();
    const request = startRequestOf(directory.path, { pool: "default", idleMs: LONG_MS });
    let bin = BinProcess.start(request);
    await using stack = new AsyncDisposableStack();
    stack.defer(() => bin[Symbol.asyncDispose]());
    let { listen, apiKey } = await bin.ready();
    let client = await openClient(listen, apiKey);
    const { lease } = await client.create({ vmId: "vm-a", leaseId: "l1" });
    const runs = Array.from({ length: EXECS }, (_, index) => new Run(index));
    for (const killAfterMs of KILLS_AFTER_MS) {
      const ends = runs.map((run) => run.goOn(client, lease));
      // oxlint-disable-next-line no-await-in-loop -- One life after the other; the moment is what is tried.
      await setTimeout(killAfterMs);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await Promise.all([kill(bin), client.peer.closed, Promise.allSettled(ends)]);
      bin = BinProcess.start(request);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      ({ listen, apiKey } = await bin.ready());
      // oxlint-disable-next-line no-await-in-loop -- As above.
      client = await openClient(listen, apiKey);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await client.peer.request("lease.resume", lease);
    }
    await Promise.all(runs.map((run) => run.goOn(client, lease)));
    for (const run of runs) expect(run.result).toEqual(run.expected);
    const { vmId, fence } = lease;
    const path = "/workspace/started";
    const cat = client.exec(lease, ["cat", path], { processId: "cat" });
    await cat.exit;
    await cat.sink.until(has(2 * EXECS));
    expect(cat.sink.stdout.byteLength).toBe(2 * EXECS);
    await client.peer.request("vm.info", { vmId, fence });
    bin.child.kill("SIGTERM");
    await bin.exit;
  });

  test("[adopt.log] a logged process that ended meanwhile is read and its end is known; SIGTERM leaves nothing for a third", async () => {
    await using directory = await temporaryDirectory();
    const request = startRequestOf(directory.path, { pool: "default", idleMs: LONG_MS });
    await using first = BinProcess.start(request);
    const ready = await first.ready();
    await using client = await openClient(ready.listen, ready.apiKey);
    const { lease } = await client.create({ vmId: "vm-a", name: "kept" });
    const { vmId, fence } = lease;
    const start = { vmId, fence, output: "logged" as const };
    const spawn = async (processId: string, script: string) =>
      await client.peer.request("process.spawn", {
        ...start,
        processId,
        argv: ["sh", "-c", script],
        stream: client.openStream().stream,
      });
    await spawn("short", "echo one; sleep 0.2; echo two; exit 4");
    await spawn("long", "exec sleep 1000");
    await kill(first);
    await using second = BinProcess.start(request);
    const next = await second.ready();
    await using again = await openClient(next.listen, next.apiKey);
    await again.peer.request("lease.resume", lease);
    const list = async () => (await again.peer.request("process.list", { vmId, fence })).processes;
    await expect.poll(list, { timeout: 10_000 }).toMatchObject([
      { processId: "short", state: "exited", exit: { exitCode: 4 } },
      { processId: "long", state: "running", command: expect.stringContaining("sleep 1000") },
    ]);
    const { stream, sink } = again.openStream();
    await again.peer.request("process.log", { vmId, fence, processId: "short", stream });
    await sink.ended();
    expect(sink.stdout.toString()).toBe("one\ntwo\n");
    second.child.kill("SIGTERM");
    await expect(second.exit).resolves.toEqual({ code: 0, signal: null });
    await using third = BinProcess.start(request);
    const last = await third.ready();
    await using late = await openClient(last.listen, last.apiKey);
    await expect(late.peer.request("vm.list", {})).resolves.toEqual({ vms: [] });
    await expect(late.peer.request("lease.resume", lease)).rejects.toMatchObject({
      code: "VM_ENDED",
      details: { reason: "shutdown" },
    });
  });

  test("[lease.freeze] a named VM that was frozen when its sidecar was killed is taken over, and goes on when it is held", async () => {
    await using directory = await temporaryDirectory();
    const request = startRequestOf(directory.path, { pool: "default", idleMs: LONG_MS });
    await using first = BinProcess.start(request);
    const ready = await first.ready();
    await using client = await openClient(ready.listen, ready.apiKey);
    const { lease } = await client.create({ vmId: "vm-a", name: "kept" });
    const { vmId, fence } = lease;
    const { stream } = client.openStream();
    const argv = ["sh", "-c", "while :; do echo tick; sleep 0.01; done"];
    const ticker = { vmId, fence, stream, processId: "ticker", argv, output: "logged" as const };
    await client.peer.request("process.spawn", ticker);
    await client.peer.request("lease.release", lease);
    await client.peer.request("vm.list", {});
    await kill(first);
    await using second = BinProcess.start(request);
    const next = await second.ready();
    await using again = await openClient(next.listen, next.apiKey);
    const attach = { vm: "kept", leaseId: "l2", mode: "shared" as const };
    await again.peer.request("vm.attach", attach);
    await expect(again.exec(lease, ["true"]).exit).resolves.toMatchObject({ exitCode: 0 });
    const log = again.openStream();
    await again.peer.request("process.log", { ...lease, processId: "ticker", stream: log.stream });
    await log.sink.until(({ stdout }) => stdout.byteLength > 0);
    const seen = log.sink.stdout.byteLength;
    await log.sink.until(({ stdout }) => stdout.byteLength > seen + 50);
    second.child.kill("SIGTERM");
    await expect(second.exit).resolves.toEqual({ code: 0, signal: null });
  });

  test("[store.newer] a state file of a newer version is refused at the start, and nothing of it is touched", async () => {
    await using directory = await temporaryDirectory();
    const request = startRequestOf(directory.path, { pool: "default", idleMs: LONG_MS });
    await using first = BinProcess.start(request);
    await first.ready();
    first.child.kill("SIGTERM");
    await first.exit;
    const state = join(directory.path, "state");
    const [file = ""] = (await readdir(state)).filter((name) => /^pool-.*sqlite$/.test(name));
    {
      using database = new DatabaseSync(join(state, file));
      database.exec("PRAGMA user_version = 4711");
    }
    await using second = BinProcess.start(request);
    await expect(second.reply()).resolves.toMatchObject({
      kind: "failed",
      code: "SIDECAR_START_FAILED",
      message: expect.stringContaining("version 4711"),
    });
    await expect(second.exit).resolves.toMatchObject({ code: 1 });
    expect(await readdir(join(directory.path, "run"))).toEqual(["sidecar.lock"]);
  });
});
