import { randomBytes } from "node:crypto";

import { encodeFrame, FRAME_KIND, type ParsedParams } from "@agentos/protocol";
import { expect, test } from "vitest";

import { err, exitOf, out } from "../scripted-process.ts";
import type { ScriptedConnection } from "../scripted-sidecar.ts";
import { ScriptedWorld } from "../scripted-world.ts";
import { Cutter, KnownProcess, never, startResumable } from "./resumable-sidecar.ts";

const world = ScriptedWorld.use();

async function start(
  handlers: Parameters<typeof startResumable>[1],
): Promise<Awaited<ReturnType<typeof startResumable>>> {
  const started = await startResumable(world.path, handlers);
  world.keep(started.server);
  return started;
}

const inAck = (connection: ScriptedConnection, stream: number, offset: number): void =>
  connection.peer.sendFrame(encodeFrame(FRAME_KIND.inAck, stream, offset));

test("an exec whose connection is cut at any frame has each byte once, and its own end", async () => {
  const process = new KnownProcess(randomBytes(1000), randomBytes(300), 100);
  let cutter = new Cutter(0);
  const { os } = await start((connection) => ({
    "process.exec": (params) => process.answer(connection, params, cutter) ?? never(),
  }));
  const frames = 14;
  for (let cutAt = 0; cutAt <= frames; cutAt += 1) {
    cutter = new Cutter(cutAt);
    process.asked.length = 0;
    const heard: Uint8Array[] = [];
    const result = await os.exec("x", {
      encoding: "buffer",
      onStdout: (piece) => heard.push(piece),
    });
    expect(result).toMatchObject({ exitCode: 3, outcome: "exited", truncated: false });
    expect(Buffer.from(result.stdout).equals(process.stdout)).toBe(true);
    expect(Buffer.from(result.stderr).equals(process.stderr)).toBe(true);
    expect(Buffer.concat(heard).equals(process.stdout)).toBe(true);
    const [first, second] = process.asked;
    expect(process.asked.length).toBe(cutAt === 0 ? 1 : 2);
    expect(first?.received).toBeUndefined();
    if (second === undefined) continue;
    expect(second.processId).toBe(first?.processId);
    // The last frame before the cut may have been lost with it.
    expect(second.received?.stdout).toBeLessThanOrEqual(Math.min(1000, (cutAt - 1) * 100));
  }
});

test("an exec that is cut again and again goes on from what it has, which never gets less", async () => {
  const process = new KnownProcess(randomBytes(4000), randomBytes(0), 100);
  const { os, server } = await start((connection) => {
    const cutter = new Cutter(6);
    return { "process.exec": (params) => process.answer(connection, params, cutter) ?? never() };
  });
  const { stdout } = await os.exec("x", { encoding: "buffer" });
  expect(Buffer.from(stdout).equals(process.stdout)).toBe(true);
  const received = process.asked.map((params) => params.received?.stdout ?? 0);
  expect(received).toEqual(received.toSorted((a, b) => a - b));
  expect(server.connections.length).toBe(process.asked.length);
  expect(server.requests.filter((method) => method === "lease.resume").length).toBe(
    server.connections.length - 1,
  );
});

test("bytes that came already are dropped, and a gap is an error", async () => {
  let from = 0;
  const { os } = await start((connection) => ({
    "process.exec": ({ processId, stream, received }) => {
      if (received === undefined) {
        out(connection, stream, 0, "0123");
        setTimeout(() => connection.destroy(), 20);
        return never();
      }
      out(connection, stream, from, "0123456789".slice(from));
      return exitOf(processId, { stdoutBytes: 10 });
    },
    "process.signal": () => ({}),
  }));
  expect((await os.exec("x")).stdout).toBe("0123456789");
  from = 2;
  expect((await os.exec("x")).stdout).toBe("0123456789");
  from = 5;
  await expect(os.exec("x")).rejects.toMatchObject({
    code: "PROTOCOL_ERROR",
    message: "expected bytes at offset 4, got 5",
  });
});

test("the end that came before the cut stays, and the output that it speaks of is asked for again", async () => {
  const asked: unknown[] = [];
  const { os } = await start((connection) => ({
    "process.exec": ({ processId, stream, received }) => {
      asked.push(received);
      if (received === undefined) {
        out(connection, stream, 0, "half");
        setTimeout(() => connection.destroy(), 20);
      } else {
        setTimeout(() => out(connection, stream, 4, " and rest"), 10);
      }
      return exitOf(processId, { exitCode: 5, stdoutBytes: 13 });
    },
  }));
  expect(await os.exec("x")).toMatchObject({ exitCode: 5, stdout: "half and rest" });
  expect(asked).toEqual([undefined, { stdout: 4, stderr: 0 }]);
});

/** Takes stdin as a VM does: what it has is cut from what comes. Cuts each connection after so many frames. */
class Taker {
  readonly #taken: Uint8Array[] = [];
  readonly ended = Promise.withResolvers<void>();
  /** Whether the end said as much as had come. */
  isWhole = false;
  #bytes = 0;

  take(connection: ScriptedConnection, stream: number, cutter: Cutter): void {
    connection.onFrame = (frame) => {
      if (frame.kind === FRAME_KIND.ack) return;
      if (!cutter.passes(connection)) return;
      if (frame.kind === FRAME_KIND.eofIn) {
        this.isWhole = frame.offset === this.#bytes;
        return this.ended.resolve();
      }
      if (frame.offset > this.#bytes) return this.ended.reject(new Error("a gap"));
      const piece = frame.payload.subarray(this.#bytes - frame.offset);
      this.#taken.push(piece);
      this.#bytes += piece.byteLength;
      inAck(connection, stream, this.#bytes);
    };
  }

  get all(): Buffer {
    return Buffer.concat(this.#taken);
  }
}

test("stdin that was not taken is sent again, from any frame on, and ended once", async () => {
  const data = randomBytes(600_000);
  let taker = new Taker();
  let cutter = new Cutter(0);
  const { os } = await start((connection) => ({
    "process.exec": async ({ processId, stream, stdin }) => {
      expect(stdin).toBe("pipe");
      taker.take(connection, stream, cutter);
      await taker.ended.promise;
      return exitOf(processId);
    },
  }));
  for (const cutAt of [0, 1, 2, 5, 9, 10, 11]) {
    taker = new Taker();
    cutter = new Cutter(cutAt);
    expect((await os.exec("cat", { stdin: data })).exitCode).toBe(0);
    expect([taker.isWhole, taker.all.equals(data)]).toEqual([true, true]);
  }
  taker = new Taker();
  cutter = new Cutter(3);
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < data.length; at += 50_000) yield data.subarray(at, at + 50_000);
  }
  await os.exec("cat", { stdin: pieces() });
  expect(taker.all.equals(data)).toBe(true);
});

test("a spawned process goes on: its unread output comes once, its stdin arrives, its end is told once", async () => {
  const asked: ParsedParams<"process.spawn">[] = [];
  const taker = new Taker();
  const text = "x".repeat(1000);
  const { os, server } = await start((connection) => ({
    "process.spawn": ({ processId, vmId, stream, received, ...rest }) => {
      asked.push({ processId, vmId, stream, received, ...rest });
      taker.take(connection, stream, new Cutter(0));
      const { stdout = 0, stderr = 0 } = received ?? {};
      out(connection, stream, stdout, text.slice(stdout));
      err(connection, stream, stderr, "err".slice(stderr));
      if (received === undefined) return { processId, pid: 42 };
      const exit = exitOf(processId, { exitCode: 4, stdoutBytes: 1000, stderrBytes: 3 });
      for (const _ of [1, 2])
        setImmediate(() => connection.peer.emit("process.exited", { ...exit, vmId }));
      return { processId, pid: 42 };
    },
  }));
  const process = await os.spawn(["x"], { stdin: "pipe" });
  const stdout = process.stdout.getReader();
  const stdin = process.stdin.getWriter();
  await stdin.write("one");
  await os.info();
  server.connections[0]?.destroy();
  await stdin.write("two");
  await stdin.close();
  expect(await process.exited).toMatchObject({ exitCode: 4, outcome: "exited" });
  await taker.ended.promise;
  expect(taker.all.toString()).toBe("onetwo");
  let read = "";
  for (;;) {
    const { done, value } = await stdout.read();
    if (done) break;
    read += Buffer.from(value).toString();
  }
  expect(read).toBe(text);
  expect(await new Response(process.stderr).text()).toBe("err");
  expect(asked.map(({ received }) => received)).toEqual([undefined, { stdout: 0, stderr: 0 }]);
  await os.info();
  expect(server.requests.filter((method) => method === "process.release").length).toBe(1);
});

test("a spawn whose answer was lost is asked for again under the same id", async () => {
  const ids: string[] = [];
  const { os } = await start((connection) => ({
    "process.spawn": ({ processId, received }) => {
      ids.push(processId);
      if (received !== undefined) return { processId, pid: 7 };
      connection.destroy();
      return never();
    },
  }));
  const process = await os.spawn(["x"]);
  expect(process.pid).toBe(7);
  expect(ids).toEqual([process.id, process.id]);
});

test("a log is read on from where its reader is", async () => {
  const asked: object[] = [];
  const { os } = await start((connection) => ({
    "process.log": ({ processId, stream, stdoutFrom, stderrFrom }) => {
      asked.push({ stdoutFrom, stderrFrom });
      const summary = { processId, pid: 1, command: "x", output: "logged" } as const;
      if (asked.length === 1) {
        out(connection, stream, 0, "abc");
        err(connection, stream, 0, "E");
        setTimeout(() => connection.destroy(), 20);
        return { ...summary, state: "running" };
      }
      out(connection, stream, 1, "bc");
      out(connection, stream, 5, "fg");
      const exit = exitOf(processId, { stdoutBytes: 7, stderrBytes: 1 });
      return { ...summary, state: "exited", exit };
    },
  }));
  const chunks: object[] = [];
  for await (const { channel, offset, dropped, data } of os.logs("p"))
    chunks.push({ channel, offset, dropped, text: Buffer.from(data).toString() });
  expect(chunks).toEqual([
    { channel: "stdout", offset: 0, dropped: 0, text: "abc" },
    { channel: "stderr", offset: 0, dropped: 0, text: "E" },
    { channel: "stdout", offset: 5, dropped: 2, text: "fg" },
  ]);
  expect(asked).toEqual([
    { stdoutFrom: 0, stderrFrom: 0 },
    { stdoutFrom: 3, stderrFrom: 1 },
  ]);
});
