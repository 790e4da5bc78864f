import { AgentOsError, encodeFrame, FRAME_KIND, type FileStat } from "@agentos/protocol";
import { expect, test } from "vitest";

import type { ScriptedConnection } from "../scripted-sidecar.ts";
import { ScriptedWorld } from "../scripted-world.ts";

const world = ScriptedWorld.use();

function statOf(type: FileStat["type"], mode = 0o644, size = 0): { stat: FileStat } {
  return {
    stat: {
      type,
      mode,
      size,
      ino: 1,
      nlink: 1,
      uid: 0,
      gid: 0,
      mtimeMs: 0,
      atimeMs: 0,
      ctimeMs: 0,
    },
  };
}

function send(
  connection: ScriptedConnection,
  stream: number,
  bytes: Uint8Array,
  step = bytes.length || 1,
): void {
  for (let at = 0; at < bytes.length; at += step) {
    connection.peer.sendFrame(
      encodeFrame(FRAME_KIND.out, stream, at, bytes.subarray(at, at + step)),
    );
  }
  connection.peer.sendFrame(encodeFrame(FRAME_KIND.end, stream, bytes.length, Uint8Array.of(1)));
}

function listing(...entries: [string, string][]): Buffer {
  return Buffer.concat(
    entries.map(([type, name]) => {
      const header = Buffer.alloc(3);
      header.write(type, 0, "latin1");
      header.writeUInt16LE(Buffer.byteLength(name), 1);
      return Buffer.concat([header, Buffer.from(name)]);
    }),
  );
}

test("a small file is one request and one answer, and the acknowledged end frees its stream", async () => {
  const [os, server] = await world.start((connection) => ({
    "fs.read": ({ stream }) => {
      send(connection, stream, Buffer.from("content"));
      return statOf("file");
    },
  }));
  const before = server.requests.length;
  expect(await os.fs.readFile("/a", "utf8")).toBe("content");
  await os.info();
  expect(server.requests.slice(before)).toEqual(["fs.read", "vm.info"]);
  expect(server.connections[0]?.frames.map(({ kind, offset }) => [kind, offset])).toEqual([
    [FRAME_KIND.ack, 7],
  ]);
});

test("a listing is unpacked across frames and sorted; names that lead elsewhere are refused", async () => {
  let content = listing(["f", "b"], ["d", "a"], ["l", "naïve"], ["p", "c"]);
  const [os] = await world.start((connection) => ({
    "fs.readdir": ({ stream }) => {
      send(connection, stream, content, 2);
      return statOf("directory");
    },
  }));
  expect(await os.fs.readdir("/")).toEqual(["a", "b", "c", "naïve"]);
  expect(await os.fs.readdir("/", { withFileTypes: true })).toEqual([
    { name: "a", type: "directory" },
    { name: "b", type: "file" },
    { name: "c", type: "fifo" },
    { name: "naïve", type: "symlink" },
  ]);
  for (const name of ["", ".", "..", "a/b", "/etc", "a\0b"]) {
    content = listing(["f", name]);
    await expect(os.fs.readdir("/")).rejects.toMatchObject({ code: "PROTOCOL_ERROR" });
  }
  for (const broken of [Buffer.from("f"), Buffer.from("f\u0009\0abc"), listing(["q", "x"])]) {
    content = broken;
    await expect(os.fs.readdir("/")).rejects.toMatchObject({ code: "PROTOCOL_ERROR" });
  }
});

test("a read that breaks in the middle is an error with its errno", async () => {
  const [os] = await world.start((connection) => ({
    "fs.read": ({ stream }) => {
      connection.peer.sendFrame(encodeFrame(FRAME_KIND.out, stream, 0, Buffer.from("half")));
      const failure = Buffer.concat([Buffer.from([5, 0, 0, 0]), Buffer.from("read")]);
      connection.peer.sendFrame(encodeFrame(FRAME_KIND.fail, stream, 0, failure));
      return statOf("file");
    },
  }));
  await expect(os.fs.readFile("/a")).rejects.toMatchObject({
    code: "FILE_SYSTEM",
    errno: "EIO",
    details: { syscall: "read" },
  });
  const reader = os.fs.readStream("/a").getReader();
  expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe("half");
  await expect(reader.read()).rejects.toMatchObject({ errno: "EIO" });
});

test("an end that claims more than came is an error", async () => {
  const [os] = await world.start((connection) => ({
    "fs.read": ({ stream }) => {
      connection.peer.sendFrame(encodeFrame(FRAME_KIND.end, stream, 9, Uint8Array.of(1)));
      return statOf("file");
    },
  }));
  await expect(os.fs.readFile("/a")).rejects.toMatchObject({ code: "PROTOCOL_ERROR" });
});

test("a refused open is the reader's error, and cancelling a reader closes the stream over there", async () => {
  const [os, server] = await world.start((connection) => ({
    "fs.read": ({ stream, path }) => {
      if (path === "/none")
        throw new AgentOsError("FILE_SYSTEM", "ENOENT", { errno: "ENOENT", syscall: "open", path });
      connection.peer.sendFrame(encodeFrame(FRAME_KIND.out, stream, 0, Buffer.from("first")));
      return statOf("file");
    },
  }));
  await expect(os.fs.readStream("/none").getReader().read()).rejects.toMatchObject({
    errno: "ENOENT",
  });
  const reader = os.fs.readStream("/a").getReader();
  expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe("first");
  await reader.cancel();
  await os.info();
  expect(server.requests.filter((method) => method === "stream.close").length).toBe(1);
});

test("a write sends within its window, says how, and resolves with the answer", async () => {
  const asked: object[] = [];
  const [os] = await world.start((connection) => ({
    "fs.write": async ({ stream, how, mode, windowBytes }) => {
      asked.push({ how, mode });
      let bytes = 0;
      await new Promise<void>((resolve) => {
        connection.onFrame = ({ kind, payload }) => {
          if (kind === FRAME_KIND.eofIn) return resolve();
          bytes += payload.byteLength;
          expect(payload.byteLength).toBeLessThanOrEqual(windowBytes ?? 0);
          connection.peer.sendFrame(encodeFrame(FRAME_KIND.inAck, stream, bytes));
        };
      });
      return { size: bytes };
    },
  }));
  await os.fs.writeFile("/a", new Uint8Array(3_000_000), { mode: 0o600 });
  await os.fs.writeFile("/a", "x", { flag: "wx" });
  await os.fs.appendFile("/a", "x");
  const writer = os.fs.writeStream("/a").getWriter();
  await writer.write("one");
  await writer.close();
  expect(asked).toEqual([
    { how: "truncate", mode: 0o600 },
    { how: "exclusive", mode: undefined },
    { how: "append", mode: undefined },
    { how: "truncate", mode: undefined },
  ]);
  const unknown: object = { flags: "w" };
  await expect(os.fs.writeFile("/a", "x", unknown)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
});

async function* failing(): AsyncGenerator<string> {
  yield "x";
  throw new RangeError("mine");
}

test("a write that is refused rejects though its source never ends", async () => {
  const [os] = await world.start(() => ({
    "fs.write": ({ path }) => {
      throw new AgentOsError("FILE_SYSTEM", "EROFS", { errno: "EROFS", syscall: "open", path });
    },
  }));
  const never = new ReadableStream<Uint8Array>();
  await expect(os.fs.writeFile("/a", never)).rejects.toMatchObject({ errno: "EROFS" });
  await expect(os.fs.writeStream("/a").getWriter().close()).rejects.toMatchObject({
    errno: "EROFS",
  });
  await expect(os.fs.writeFile("/a", failing())).rejects.toBeInstanceOf(Error);
});
