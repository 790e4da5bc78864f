import { chmod, chown, mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { BinProcess, temporaryDirectory } from "./bin-process.ts";
import { frameOf, startRequestOf } from "./start-request.ts";
import { openClient, openSocket } from "./websocket-client.ts";

const LONG_MS = 3_600_000;

describe("agentos-sidecar", () => {
  test("starts, answers once, serves a client, and ends clean when its owner closes stdin", async () => {
    await using directory = await temporaryDirectory();
    await using bin = BinProcess.start(startRequestOf(directory.path));
    const ready = await bin.ready();
    expect(ready).toMatchObject({
      sidecarId: "sidecar-of-test",
      epoch: 1,
      protocol: { min: 1, max: 1 },
      listen: { kind: "unix" },
      pid: bin.child.pid,
    });
    await using client = await openClient(ready.listen, ready.apiKey);
    await expect(client.peer.request("sidecar.info", {})).resolves.toMatchObject({
      pid: bin.child.pid,
      vms: 0,
    });
    bin.stdin.end();
    await expect(client.event("sidecar.closing")).resolves.toEqual({
      reason: "its owner closed stdin",
    });
    await expect(bin.exit).resolves.toEqual({ code: 0, signal: null });
    expect(await readdir(join(directory.path, "run"))).toEqual([]);
    expect(bin.stderr).not.toContain(ready.apiKey);
    for (const line of bin.stderr.trim().split("\n"))
      expect(JSON.parse(line)).toHaveProperty("level");
  });

  test("[session.case-87] each bad start message: a clear failed answer, exit 1, nothing left", async () => {
    await using directory = await temporaryDirectory();
    const request = startRequestOf(directory.path);
    const bad: [string, Uint8Array, boolean][] = [
      ["nothing", Buffer.alloc(0), true],
      ["half a length", Buffer.from([1, 0]), true],
      ["less than its length", Buffer.from([9, 0, 0, 0, 123]), true],
      ["a huge length", Buffer.from([255, 255, 255, 255]), false],
      ["no JSON", frameOf("hello"), false],
      ["no object", frameOf("[]"), false],
      ["no directory", frameOf(JSON.stringify({ ...request, runtimeDirectory: undefined })), false],
      [
        "a relative directory",
        frameOf(JSON.stringify({ ...request, stateDirectory: "here" })),
        false,
      ],
      [
        "a public address",
        frameOf(JSON.stringify({ ...request, listen: { kind: "tcp", host: "0.0.0.0", port: 0 } })),
        false,
      ],
      [
        "a long socket path",
        frameOf(
          JSON.stringify({ ...request, listen: { kind: "unix", path: `/${"x".repeat(200)}` } }),
        ),
        false,
      ],
    ];
    for (const [name, bytes, isEnd] of bad) {
      const bin = new BinProcess();
      bin.stdin.write(bytes);
      if (isEnd) bin.stdin.end();
      // oxlint-disable-next-line no-await-in-loop -- One process at a time.
      expect([name, await bin.reply()]).toMatchObject([
        name,
        { kind: "failed", message: expect.stringMatching(/.{10}/) },
      ]);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await expect(bin.exit).resolves.toEqual({ code: 1, signal: null });
    }
    expect(await readdir(join(directory.path, "run"))).toEqual([]);
  });

  test("a directory that can't be used is named in the answer", async () => {
    await using directory = await temporaryDirectory();
    await using bin = BinProcess.start({
      ...startRequestOf(directory.path),
      stateDirectory: "/proc/no/such",
    });
    await expect(bin.reply()).resolves.toMatchObject({
      kind: "failed",
      code: "SIDECAR_START_FAILED",
      message: expect.stringContaining("the state directory /proc/no/such is not usable"),
    });
    await expect(bin.exit).resolves.toMatchObject({ code: 1 });
  });

  test("of two racing starters of one pool one is ready and the other answers elsewhere and exits 0", async () => {
    await using directory = await temporaryDirectory();
    const request = startRequestOf(directory.path, { pool: "default", idleMs: LONG_MS });
    await using first = BinProcess.start(request);
    await using second = BinProcess.start(request);
    const replies = await Promise.all([first.reply(), second.reply()]);
    expect(replies.map(({ kind }) => kind).toSorted()).toEqual(["elsewhere", "ready"]);
    const [winner, loser] = replies[0]?.kind === "ready" ? [first, second] : [second, first];
    await expect(loser.exit).resolves.toEqual({ code: 0, signal: null });
    const ready = await winner.ready();
    const found = JSON.parse(await readFile(join(directory.path, "run", "sidecar.json"), "utf8"));
    const { kind: _kind, ...expected } = ready;
    expect(found).toEqual(expected);
    (await openSocket(found.listen, { apiKey: found.apiKey })).terminate();
  });

  test("of twenty at once exactly one is ready, and it works", async () => {
    await using directory = await temporaryDirectory();
    const request = startRequestOf(directory.path, { pool: "default", idleMs: LONG_MS });
    const all = Array.from({ length: 20 }, () => BinProcess.start(request));
    await using stack = new AsyncDisposableStack();
    for (const bin of all) stack.use(bin);
    const replies = await Promise.all(all.map((bin) => bin.reply()));
    expect(replies.filter(({ kind }) => kind === "elsewhere")).toHaveLength(19);
    const ready = replies.find((reply) => reply.kind === "ready");
    if (ready === undefined) throw new Error("none was ready");
    await using client = await openClient(ready.listen, ready.apiKey);
    await expect(client.peer.request("ping", {})).resolves.toEqual({});
    expect(ready.epoch).toBe(1);
  });

  test("a shared one outlives the end of stdin; after kill -9 a new start works, with a higher epoch", async () => {
    await using directory = await temporaryDirectory();
    const request = startRequestOf(directory.path, { pool: "default", idleMs: LONG_MS });
    await using first = BinProcess.start(request);
    const ready = await first.ready();
    first.stdin.end();
    await using client = await openClient(ready.listen, ready.apiKey);
    await expect(client.peer.request("ping", {})).resolves.toEqual({});
    first.child.kill("SIGKILL");
    await first.exit;
    await client.peer.closed;
    await using second = BinProcess.start(request);
    const next = await second.ready();
    expect(next.epoch).toBe(2);
    expect(next.apiKey).not.toBe(ready.apiKey);
    await expect(openSocket(next.listen, { apiKey: ready.apiKey })).rejects.toThrow("401");
    await using again = await openClient(next.listen, next.apiKey);
    await expect(again.peer.request("ping", {})).resolves.toEqual({});
  });

  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "%s drains: clients are told, exit 0, and nothing is left but the lock",
    async (signal) => {
      await using directory = await temporaryDirectory();
      await using bin = BinProcess.start(
        startRequestOf(directory.path, { pool: "default", idleMs: LONG_MS }),
      );
      const ready = await bin.ready();
      await using client = await openClient(ready.listen, ready.apiKey);
      bin.child.kill(signal);
      await expect(client.event("sidecar.closing")).resolves.toEqual({
        reason: `it got ${signal}`,
      });
      await expect(bin.exit).resolves.toEqual({ code: 0, signal: null });
      await client.peer.closed;
      expect(await readdir(join(directory.path, "run"))).toEqual(["sidecar.lock"]);
    },
  );

  test("a shared one that nobody uses ends itself", async () => {
    await using directory = await temporaryDirectory();
    await using bin = BinProcess.start(
      startRequestOf(directory.path, { pool: "default", idleMs: 50 }),
    );
    await bin.ready();
    await expect(bin.exit).resolves.toEqual({ code: 0, signal: null });
    expect(await readdir(join(directory.path, "run"))).toEqual(["sidecar.lock"]);
  });

  test("sidecar.shutdown ends it with exit 0", async () => {
    await using directory = await temporaryDirectory();
    await using bin = BinProcess.start(
      startRequestOf(directory.path, { listen: { kind: "tcp", host: "127.0.0.1", port: 0 } }),
    );
    const ready = await bin.ready();
    expect(ready.listen).toMatchObject({ kind: "tcp", port: expect.any(Number) });
    await using client = await openClient(ready.listen, ready.apiKey);
    await expect(client.peer.request("sidecar.shutdown", {})).resolves.toEqual({});
    await expect(bin.exit).resolves.toEqual({ code: 0, signal: null });
  });

  test("[bad.frame] [bad.oversized] malformed and oversized frames end that connection and no other", async () => {
    await using directory = await temporaryDirectory();
    await using bin = BinProcess.start(startRequestOf(directory.path));
    const ready = await bin.ready();
    await using neighbour = await openClient(ready.listen, ready.apiKey);
    for (const payload of ["{", Buffer.alloc(5), Buffer.alloc(2 * 1024 * 1024)]) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const socket = await openSocket(ready.listen, { apiKey: ready.apiKey });
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.send(payload);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await closed;
    }
    await expect(neighbour.peer.request("ping", {})).resolves.toEqual({});
    await expect(
      openSocket(ready.listen, { apiKey: "wrong-key-wrong-key-wrong-key" }),
    ).rejects.toThrow("401");
    const params = { protocol: { min: 8, max: 9 }, client: { name: "t", version: "1" } };
    await expect(neighbour.peer.request("authenticate", params)).rejects.toMatchObject({
      code: "VERSION_MISMATCH",
      details: { supported: "1" },
    });
  });

  test("two explicit ones of the same id and directories live side by side", async () => {
    await using directory = await temporaryDirectory();
    await using first = BinProcess.start(startRequestOf(directory.path));
    await using second = BinProcess.start(startRequestOf(directory.path));
    const replies = await Promise.all([first.ready(), second.ready()]);
    expect(replies.map(({ epoch }) => epoch).toSorted((a, b) => a - b)).toEqual([1, 2]);
    for (const { listen, apiKey, pid } of replies) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      await using client = await openClient(listen, apiKey);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await expect(client.peer.request("sidecar.info", {})).resolves.toMatchObject({ pid });
    }
  });
});

test("[store.read-only] a state directory that can't be written is a clear error", async () => {
  await using directory = await temporaryDirectory();
  // Root may write everywhere: only as another user does a mode refuse anything.
  const uid = process.getuid?.() === 0 ? 65_534 : (process.getuid?.() ?? 0);
  await chmod(directory.path, 0o755);
  for (const name of ["run", "state"]) {
    // oxlint-disable-next-line no-await-in-loop -- Two of them.
    await mkdir(join(directory.path, name), { mode: 0o700 });
    // oxlint-disable-next-line no-await-in-loop -- As above.
    await chown(join(directory.path, name), uid, uid);
  }
  await chmod(join(directory.path, "state"), 0o500);
  await using bin = BinProcess.start(startRequestOf(directory.path), { uid });
  const reply = await bin.reply();
  expect(reply).toMatchObject({
    kind: "failed",
    code: "SIDECAR_START_FAILED",
    message: expect.stringContaining(
      `the state directory ${join(directory.path, "state")} is not usable`,
    ),
  });
  await expect(bin.exit).resolves.toMatchObject({ code: 1 });
  expect(await readdir(join(directory.path, "run"))).toEqual([]);
});
