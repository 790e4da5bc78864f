import { createServer, type Socket } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { encodeAck, encodeFrame, FRAME_KIND, isAgentOsError } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import { connectUnix } from "../src/link/connect.ts";
import { u32, u64 } from "../src/link/fields.ts";
import { FrameReader } from "../src/link/frame-reader.ts";
import { Handshake } from "../src/link/handshake.ts";
import { Link } from "../src/link/link.ts";
import { type KindRules, LINK_KIND } from "../src/link/link-kinds.ts";
import { LinuxFiles } from "../src/linux/linux-files.ts";
import { LinuxProcess } from "../src/linux/linux-process.ts";
import { CollectingSink } from "./collecting-sink.ts";

interface Frame {
  kind: number;
  stream: number;
  offset: number;
}

const ANY_KIND: KindRules = new Map(
  Array.from({ length: 0x40 }, (_, kind) => [kind, { maxPayloadBytes: 2 ** 20, piecewise: false }]),
);

/** A PID 1 that says what the test tells it to. */
class FakeInit implements AsyncDisposable {
  readonly link: Link;
  readonly handshake: Handshake;
  readonly #socket: Socket;
  readonly #folder: string;
  readonly #frames: Frame[] = [];
  #waiting: (() => void) | undefined;

  private constructor(link: Link, handshake: Handshake, socket: Socket, folder: string) {
    this.link = link;
    this.handshake = handshake;
    this.#socket = socket;
    this.#folder = folder;
    const reader = new FrameReader(ANY_KIND, (kind, stream, offset) => {
      this.#frames.push({ kind, stream, offset });
      this.#waiting?.();
    });
    socket.on("data", (chunk: Buffer) => reader.push(chunk));
    socket.on("error", () => {});
  }

  static async start(): Promise<FakeInit> {
    const folder = await mkdtemp(join(tmpdir(), "link-"));
    const { promise, resolve } = Promise.withResolvers<Socket>();
    const server = createServer(resolve);
    await new Promise<void>((listening) => server.listen(join(folder, "s"), listening));
    const client = await connectUnix(join(folder, "s"), AbortSignal.timeout(5000));
    const handshake = new Handshake("launching");
    const link = new Link("vm", client, handshake);
    const socket = await promise;
    server.close();
    const init = new FakeInit(link, handshake, socket, folder);
    init.say(LINK_KIND.launched, 0, u32(123));
    init.say(LINK_KIND.ready, 0, u32(2));
    await handshake.ready;
    return init;
  }

  say(kind: number, stream: number, payload?: Uint8Array, offset = 0): void {
    this.#socket.write(encodeFrame(kind, stream, offset, payload));
  }

  /** The next frame that the sidecar sent. */
  async heard(): Promise<Frame> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) return frame;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting = resolve;
      // oxlint-disable-next-line no-await-in-loop
      await promise;
    }
  }

  hangUp(): void {
    this.#socket.end();
  }

  async startProcess(): Promise<{ process: LinuxProcess; sink: CollectingSink; stream: number }> {
    const sink = new CollectingSink();
    const starting = LinuxProcess.start(
      this.link,
      {
        processId: "p",
        argv: ["x"],
        cwd: "/",
        env: {},
        stdin: "pipe",
        output: "piped",
        windowBytes: 4096,
      },
      sink,
      (exit) => exit,
    );
    const { stream } = await this.heard();
    this.say(LINK_KIND.started, stream, u32(42));
    return { process: await starting, sink, stream };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.link.end("the test is over");
    this.#socket.destroy();
    await rm(this.#folder, { recursive: true });
  }
}

const exit = (status: number, out = 0): Uint8Array =>
  Buffer.concat([Uint8Array.of(0), u32(status), Uint8Array.of(0, 0), u64(out), u64(0), u64(1500)]);

test("a process's frames go to its sink, and its exit to who waits for it", async () => {
  await using init = await FakeInit.start();
  const { process, sink, stream } = await init.startProcess();
  sink.attach(process);
  init.say(LINK_KIND.out, stream, Buffer.from("abc"));
  init.say(LINK_KIND.exit, stream, exit(3, 3));
  expect(await process.exited).toMatchObject({ exitCode: 3, stdoutBytes: 3, durationMs: 1.5 });
  expect(sink.text()).toBe("abc");
  expect(await init.heard()).toEqual({ kind: LINK_KIND.ack, stream, offset: 3 });
  process.close();
  expect(await init.heard()).toMatchObject({ kind: LINK_KIND.release, stream });
  init.say(LINK_KIND.out, stream, Buffer.from("late"), 3);
  const ping = init.link.request({
    kind: LINK_KIND.ping,
    answer: LINK_KIND.pong,
    operation: "ping",
  });
  init.say(LINK_KIND.pong, (await init.heard()).stream);
  await ping;
  expect(init.link.droppedFrames).toBe(1);
});

describe("what ends the link", () => {
  const cases: Array<[string, (init: FakeInit, stream: number) => void]> = [
    ["an unknown kind", (init, stream) => init.say(0x77, stream)],
    ["a frame that its stream doesn't have", (init, stream) => init.say(LINK_KIND.pong, stream)],
    ["a second start", (init, stream) => init.say(LINK_KIND.started, stream, u32(1))],
    ["an exit code out of range", (init, stream) => init.say(LINK_KIND.exit, stream, exit(256))],
    ["a cut exit", (init, stream) => init.say(LINK_KIND.exit, stream, exit(0).subarray(0, 20))],
    ["bytes at a wrong offset", (init, stream) => init.say(LINK_KIND.out, stream, u32(1), 9)],
    ["more than a window", (init, stream) => init.say(LINK_KIND.out, stream, Buffer.alloc(4097))],
    ["stdin nobody sent", (init, stream) => init.say(LINK_KIND.inAck, stream, undefined, 1)],
    ["a table nobody asked for", (init) => init.say(LINK_KIND.tableEntry, 5, Buffer.alloc(47))],
    ["a second greeting", (init) => init.say(LINK_KIND.ready, 0, u32(2))],
    ["a close", (init) => init.hangUp()],
  ];

  test.each(cases)("%s", async (_what, speak) => {
    await using init = await FakeInit.start();
    const { process, sink, stream } = await init.startProcess();
    const ping = init.link.request({
      kind: LINK_KIND.ping,
      answer: LINK_KIND.pong,
      operation: "ping",
    });
    const failure = ping.catch((error: unknown) => error);
    speak(init, stream);
    const reason = await init.link.closed;
    expect(reason).toMatchObject({ code: "VM_ENDED", details: { vmId: "vm" } });
    expect(await failure).toBe(reason);
    expect(await sink.broken).toBe(reason);
    await expect(process.exited).rejects.toBe(reason);
    await expect(new LinuxFiles(init.link).stat("/x")).rejects.toBe(reason);
  });
});

test("a reader can't acknowledge what never came, nor a writer go beyond its window", async () => {
  await using init = await FakeInit.start();
  const { process, sink, stream } = await init.startProcess();
  process.send(encodeAck(9, 1, 1));
  process.send(encodeFrame(FRAME_KIND.dataIn, 9, 0, Buffer.alloc(4097)));
  expect(sink.failures).toHaveLength(1);
  process.send(encodeFrame(FRAME_KIND.dataIn, 9, 0, Buffer.alloc(4096)));
  expect(await init.heard()).toMatchObject({ kind: LINK_KIND.dataIn, stream });
  expect(() => process.send(encodeFrame(LINK_KIND.shutdown, 9, 0))).toThrow("expected data");
  expect(() => process.send(Buffer.alloc(3))).toThrow("expected a whole frame");
});

test("an unanswered request misses its deadline, and its late answer is dropped", async () => {
  await using init = await FakeInit.start();
  const late = init.link.request({
    kind: LINK_KIND.ping,
    answer: LINK_KIND.pong,
    operation: "ping",
    deadlineMs: 1,
  });
  const error: unknown = await late.catch((reason: unknown) => reason);
  expect(isAgentOsError(error, "DEADLINE_EXCEEDED") && error.details).toEqual({
    operation: "ping",
    deadlineMs: 1,
  });
  init.say(LINK_KIND.pong, (await init.heard()).stream);
  const next = init.link.request({
    kind: LINK_KIND.ping,
    answer: LINK_KIND.pong,
    operation: "ping",
  });
  init.say(LINK_KIND.pong, (await init.heard()).stream);
  expect(await next).toMatchObject({ ok: true });
  expect(init.link.droppedFrames).toBe(1);
});

test("a failed start rejects and frees its stream", async () => {
  await using init = await FakeInit.start();
  const failure = Buffer.concat([u32(2), Buffer.from("open")]);
  const stat = new LinuxFiles(init.link).stat("/x");
  init.say(LINK_KIND.fail, (await init.heard()).stream, failure);
  await expect(stat).rejects.toMatchObject({
    code: "FILE_SYSTEM",
    message: "ENOENT: no such file or directory, stat '/x'",
    details: { errno: "ENOENT", syscall: "stat", path: "/x" },
  });
});
