import { randomBytes } from "node:crypto";

import {
  AgentOsError,
  encodeFrame,
  FRAME_KIND,
  type FileStat,
  type ParsedParams,
} from "@agentos/protocol";
import { expect, test } from "vitest";

import type { ScriptedConnection } from "../scripted-sidecar.ts";
import { ScriptedWorld } from "../scripted-world.ts";
import { Cutter, never, startResumable } from "./resumable-sidecar.ts";

const world = ScriptedWorld.use();

async function start(
  handlers: Parameters<typeof startResumable>[1],
): Promise<Awaited<ReturnType<typeof startResumable>>> {
  const started = await startResumable(world.path, handlers);
  world.keep(started.server);
  return started;
}

function statOf(size: number, ino = 1, type: FileStat["type"] = "file"): { stat: FileStat } {
  const owner = { nlink: 1, uid: 0, gid: 0 };
  return { stat: { type, mode: 0o644, size, ino, ...owner, mtimeMs: 0, atimeMs: 0, ctimeMs: 0 } };
}

const PIECE_BYTES = 1000;

/** Sends what was asked for as a VM does, offsets counted from where it begins. False: cut before the end. */
function sendFile(
  connection: ScriptedConnection,
  content: Buffer,
  { stream, start: from = 0, length }: { stream: number; start?: number; length?: number },
  cutter: Cutter,
): boolean {
  const asked = content.subarray(from, length === undefined ? undefined : from + length);
  for (let at = 0; at < asked.length; at += PIECE_BYTES) {
    if (!cutter.passes(connection)) return false;
    const piece = asked.subarray(at, at + PIECE_BYTES);
    connection.peer.sendFrame(encodeFrame(FRAME_KIND.out, stream, at, piece));
  }
  if (!cutter.passes(connection)) return false;
  connection.peer.sendFrame(encodeFrame(FRAME_KIND.end, stream, asked.length, Uint8Array.of(1)));
  return true;
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

test("a read that is cut at any frame has the same bytes, whole or in part, collected or streamed", async () => {
  const content = randomBytes(9_500);
  const asked: ParsedParams<"fs.read">[] = [];
  let cutter = new Cutter(0);
  const { os } = await start((connection) => ({
    "fs.read": ({ stream, start: from, length, ...rest }) => {
      asked.push({ stream, start: from, length, ...rest });
      const range = from === undefined ? {} : { start: from };
      const part = length === undefined ? range : { ...range, length };
      return sendFile(connection, content, { stream, ...part }, cutter)
        ? statOf(content.length)
        : never();
    },
  }));
  for (let cutAt = 0; cutAt <= 11; cutAt += 1) {
    cutter = new Cutter(cutAt);
    expect(Buffer.from(await os.fs.readFile("/a")).equals(content)).toBe(true);
    cutter = new Cutter(cutAt);
    expect((await collect(os.fs.readStream("/a"))).equals(content)).toBe(true);
    cutter = new Cutter(cutAt);
    const part = os.fs.readStream("/a", { start: 500, length: 4000 });
    expect((await collect(part)).equals(content.subarray(500, 4500))).toBe(true);
  }
  expect(asked.every(({ length = 1 }) => length > 0)).toBe(true);
});

test("what nobody has read is asked for again, so that one window waits however often the connection is lost", async () => {
  const content = randomBytes(20_000);
  const starts: number[] = [];
  const { os, server } = await start((connection) => ({
    "fs.read": ({ stream, start: from = 0 }) => {
      starts.push(from);
      // Without an end, but for the last time.
      const cutter = new Cutter(0);
      if (starts.length < 4)
        connection.peer.sendFrame(
          encodeFrame(FRAME_KIND.out, stream, 0, content.subarray(from, from + 10_000)),
        );
      else sendFile(connection, content, { stream, start: from }, cutter);
      return statOf(content.length);
    },
  }));
  const reader = os.fs.readStream("/a").getReader();
  const read = [(await reader.read()).value];
  for (let cuts = 0; cuts < 3; cuts += 1) {
    await os.info();
    server.open[0]?.destroy();
    await os.info();
  }
  expect(starts).toEqual([0, 10_000, 10_000, 10_000]);
  for (let result = await reader.read(); !result.done; result = await reader.read())
    read.push(result.value);
  expect(Buffer.concat(read.map((piece) => piece ?? Buffer.alloc(0))).equals(content)).toBe(true);
});

test("a file that was replaced meanwhile is an error, not half of each", async () => {
  const content = randomBytes(5_000);
  let inode = 1;
  const { os } = await start((connection) => ({
    "fs.read": ({ stream, start: from = 0 }) => {
      const isFirst = from === 0;
      if (isFirst) {
        const stat = statOf(content.length, inode);
        connection.peer.sendFrame(
          encodeFrame(FRAME_KIND.out, stream, 0, content.subarray(0, 1000)),
        );
        setTimeout(() => connection.destroy(), 20);
        return stat;
      }
      inode += 1;
      sendFile(connection, content, { stream, start: from }, new Cutter(0));
      return statOf(content.length, inode);
    },
  }));
  const error: unknown = await collect(os.fs.readStream("/a")).catch((reason: unknown) => reason);
  // Small enough to have come whole before the answer: then what came is what the stream gives, and a reader of all of it hears.
  expect(error).toMatchObject({ code: "CONNECTION_LOST" });
});

test("a listing begins again", async () => {
  const content = Buffer.concat(
    ["a", "b", "c"].map((name) => Buffer.concat([Buffer.from("f\x01\0"), Buffer.from(name)])),
  );
  let asks = 0;
  const { os } = await start((connection) => ({
    "fs.readdir": ({ stream }) => {
      asks += 1;
      if (asks === 1) {
        connection.peer.sendFrame(encodeFrame(FRAME_KIND.out, stream, 0, content.subarray(0, 5)));
        setTimeout(() => connection.destroy(), 20);
        return never();
      }
      sendFile(connection, content, { stream }, new Cutter(0));
      return statOf(0, 1, "directory");
    },
  }));
  expect(await os.fs.readdir("/")).toEqual(["a", "b", "c"]);
  expect(asks).toBe(2);
});

/** One file, written as a VM writes: by offset, acknowledged as it is written. */
class WrittenFile {
  readonly asked: { how: string | undefined; start: number }[] = [];
  #content: Buffer = Buffer.alloc(0);

  get content(): Buffer {
    return this.#content;
  }

  set content(content: Buffer) {
    this.#content = content;
  }

  async write(
    connection: ScriptedConnection,
    { stream, start: from = 0, how }: ParsedParams<"fs.write">,
    cutter: Cutter,
  ): Promise<{ size: number }> {
    this.asked.push({ how, start: from });
    if (how === "truncate") this.#content = Buffer.alloc(0);
    const ended = Promise.withResolvers<void>();
    connection.onFrame = (frame) => {
      if (frame.stream !== stream || !cutter.passes(connection)) return;
      if (frame.kind === FRAME_KIND.eofIn) return ended.resolve();
      this.#put(from + frame.offset, frame.payload);
      const taken = frame.offset + frame.payload.byteLength;
      connection.peer.sendFrame(encodeFrame(FRAME_KIND.inAck, stream, taken));
    };
    await ended.promise;
    return { size: this.#content.length };
  }

  #put(at: number, bytes: Uint8Array): void {
    const size = Math.max(this.#content.length, at + bytes.byteLength);
    const next = Buffer.alloc(size);
    this.#content.copy(next);
    next.set(bytes, at);
    this.#content = next;
  }
}

test("a write that is cut at any frame goes on behind what is in the file", async () => {
  const data = randomBytes(400_000);
  let file = new WrittenFile();
  let cutter = new Cutter(0);
  const { os } = await start((connection) => ({
    "fs.write": (params) => file.write(connection, params, cutter),
    "fs.stat": () => statOf(file.content.length),
  }));
  for (let cutAt = 0; cutAt <= 8; cutAt += 1) {
    file = new WrittenFile();
    cutter = new Cutter(cutAt);
    await os.fs.writeFile("/a", data);
    expect(file.content.equals(data)).toBe(true);
    const [, second] = file.asked;
    expect(file.asked.length).toBe(cutAt === 0 ? 1 : 2);
    expect(second?.how ?? "truncate").toBe((second?.start ?? 0) === 0 ? "truncate" : "keep");
  }
  file = new WrittenFile();
  cutter = new Cutter(4);
  const writer = os.fs.writeStream("/a").getWriter();
  for (let at = 0; at < data.length; at += 50_000)
    await writer.write(data.subarray(at, at + 50_000));
  await writer.close();
  expect(file.content.equals(data)).toBe(true);
});

test("what can't be written twice fails: appending, an exclusive file that may be ours, a file that is less by now", async () => {
  const file = new WrittenFile();
  let cutter = new Cutter(1);
  const { os } = await start((connection) => ({
    "fs.write": (params) => file.write(connection, params, cutter),
    "fs.stat": () => statOf(file.content.length),
  }));
  await expect(os.fs.appendFile("/a", "more")).rejects.toMatchObject({
    code: "CONNECTION_LOST",
    message: expect.stringContaining("whether it took effect is not known"),
  });
  cutter = new Cutter(1);
  await expect(os.fs.writeFile("/a", "new", { flag: "wx" })).rejects.toMatchObject({
    code: "CONNECTION_LOST",
  });
  cutter = new Cutter(3);
  const writing = os.fs.writeFile("/a", randomBytes(400_000));
  const shrink = setInterval(() => {
    if (file.content.length > 100_000) file.content = Buffer.alloc(10);
  });
  await expect(writing).rejects.toMatchObject({ code: "CONNECTION_LOST" });
  clearInterval(shrink);
});

test("requests that change nothing the second time are asked again, others say that nobody knows", async () => {
  let lose = true;
  const { os, server } = await start((connection) => {
    const once = <T>(answer: T): T | Promise<never> => {
      const isLost = lose;
      lose = false;
      if (!isLost) return answer;
      connection.destroy();
      return never();
    };
    return {
      "fs.stat": () => once(statOf(1)),
      "fs.lstat": () => once(statOf(1)),
      "fs.readlink": () => once({ path: "/b" }),
      "fs.realpath": () => once({ path: "/b" }),
      "fs.chmod": () => once({}),
      "fs.truncate": () => once({}),
      "fs.mkdir": () => once({}),
      "fs.rm": () => once({}),
      "fs.rename": () => once({}),
      "fs.copy": () => once({}),
      "fs.symlink": () => once({}),
      "vm.processes": () => once({ processes: [], truncated: false }),
      "vm.stats": () => once({ memoryBytes: 1, processes: 2, cpuMs: 3, diskBytes: null }),
    };
  });
  const again = [
    () => os.fs.stat("/a"),
    () => os.fs.lstat("/a"),
    () => os.fs.readlink("/a"),
    () => os.fs.realpath("/a"),
    () => os.fs.chmod("/a", 0o600),
    () => os.fs.truncate("/a"),
    () => os.fs.mkdir("/a", { recursive: true }),
    () => os.fs.rm("/a", { force: true, recursive: true }),
    () => os.processes(),
    () => os.stats(),
  ];
  for (const call of again) {
    lose = true;
    await call();
  }
  const unknown = [
    () => os.fs.mkdir("/a"),
    () => os.fs.rm("/a"),
    () => os.fs.rename("/a", "/b"),
    () => os.fs.copy("/a", "/b"),
    () => os.fs.symlink("/a", "/b"),
  ];
  for (const call of unknown) {
    lose = true;
    await expect(call()).rejects.toMatchObject({
      code: "CONNECTION_LOST",
      message: expect.stringMatching(/during fs\.\w+: whether it took effect is not known/),
    });
  }
  const cuts = again.length + unknown.length;
  expect(server.connections.length).toBe(cuts + 1);
  expect(await os.stats()).toEqual({ memoryBytes: 1, processes: 2, cpuMs: 3, diskBytes: null });
  await expect(os.fs.stat("/a")).resolves.toMatchObject({ size: 1 });
  expect(new AgentOsError("CONNECTION_LOST", "", { reason: "" }).retryable).toBe(true);
});
