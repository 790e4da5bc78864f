import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import {
  FRAME_KIND,
  type Handlers,
  TreeReader,
  type TreeRecord,
  writeTree,
} from "@agentos/protocol";
import { expect, test } from "vitest";

import { err, exitOf, out, taken as took } from "../scripted-process.ts";
import type { ScriptedConnection } from "../scripted-sidecar.ts";
import { ScriptedWorld } from "../scripted-world.ts";

const world = ScriptedWorld.use();
const attributes = { mode: 0o644, mtimeMs: 1_700_000_000_000 };
const name = (text: string): Buffer => Buffer.from(text);
const file = (called: string, content: string, mode = 0o644): Buffer[] => [
  writeTree.file(name(called), { ...attributes, mode }, content.length),
  ...(content === "" ? [] : [writeTree.piece(0, content.length), name(content)]),
  writeTree.fileEnd,
];
const directory = (called: string, mode = 0o755): Buffer =>
  writeTree.directory(name(called), { ...attributes, mode });
const tree = (...parts: Buffer[]): Buffer =>
  Buffer.concat([directory(""), ...parts, writeTree.up, writeTree.end]);

/** A VM that packs this, whatever it is asked for. */
function packing(stream: Buffer, failure?: string) {
  return (connection: ScriptedConnection): Handlers => ({
    "fs.pack": ({ processId, stream: number, vmId }) => {
      out(connection, number, 0, stream);
      if (failure !== undefined) err(connection, number, 0, failure);
      const exit = exitOf(processId, {
        exitCode: failure === undefined ? 0 : 1,
        stdoutBytes: stream.byteLength,
        stderrBytes: failure?.length ?? 0,
      });
      setImmediate(() => connection.peer.emit("process.exited", { ...exit, vmId }));
      return { processId, pid: 9 };
    },
  });
}

/** A VM that unpacks what comes into `records`. */
function unpacking(records: TreeRecord[]) {
  return (connection: ScriptedConnection): Handlers => ({
    "fs.unpack": ({ processId, stream, vmId }) => {
      const reader = new TreeReader();
      let taken = 0;
      connection.onFrame = (frame) => {
        if (frame.kind === FRAME_KIND.dataIn) {
          for (const record of reader.push(frame.payload.slice())) records.push(record);
          taken += frame.payload.byteLength;
          took(connection, stream, taken);
        }
        if (frame.kind !== FRAME_KIND.eofIn) return;
        const words = "61 stream ";
        if (!reader.hasEnded) err(connection, stream, 0, words);
        const failed = { exitCode: 1, stderrBytes: words.length };
        const exit = exitOf(processId, reader.hasEnded ? {} : failed);
        connection.peer.emit("process.exited", { ...exit, vmId });
      };
      return { processId, pid: 9 };
    },
  });
}

const namesOf = (records: readonly TreeRecord[]): string[] =>
  records.flatMap((record) => ("name" in record ? [Buffer.from(record.name).toString()] : []));

test("a download keeps modes, times and links, and tells what it left out", async () => {
  const [os] = await world.start(
    packing(
      tree(
        ...file("run", "#!", 0o755),
        writeTree.link(name("link"), name("/etc/passwd")),
        writeTree.skipped(name("pipe"), "p"),
        directory("sub", 0o555),
        ...file("x", "x", 0o400),
        writeTree.hardLink(name("y"), name("sub/x")),
        writeTree.up,
        writeTree.file(name("holes"), attributes, 1_000_000),
        writeTree.piece(999_999, 1),
        name("!"),
        writeTree.fileEnd,
      ),
    ),
  );
  const target = join(world.path, "out");
  expect(await os.fs.download("/w", target)).toEqual({
    files: 4,
    directories: 2,
    links: 1,
    bytes: 1_000_003,
    skipped: [{ path: "/w/pipe", type: "fifo" }],
  });
  expect(readdirSync(target).toSorted()).toEqual(["holes", "link", "run", "sub"]);
  const modes = ["", "run", "sub", "sub/x"].map(
    (path) => statSync(join(target, path)).mode & 0o7777,
  );
  expect(modes).toEqual([0o755, 0o755, 0o555, 0o400]);
  expect(statSync(join(target, "run")).mtimeMs).toBe(attributes.mtimeMs);
  expect(statSync(join(target, "sub")).mtimeMs).toBe(attributes.mtimeMs);
  expect(readlinkSync(join(target, "link"))).toBe("/etc/passwd");
  expect(statSync(join(target, "sub/y")).ino).toBe(statSync(join(target, "sub/x")).ino);
  expect(readFileSync(join(target, "holes")).at(-1)).toBe(0x21);
  // Over what is there already, too.
  const again = await os.fs.download("/w", target, { exclude: (path) => path === "sub" });
  expect(again).toMatchObject({ files: 2, directories: 1 });
  expect(readFileSync(join(target, "run"), "utf8")).toBe("#!");
  await os.fs.download("/w", join(world.path, "few"), { ignore: ["/sub", "*un"] });
  expect(readdirSync(join(world.path, "few")).toSorted()).toEqual(["holes", "link"]);
});

test("a download of one file lands at exactly that name", async () => {
  const stream = Buffer.concat([...file("", "one"), writeTree.end]);
  const [os] = await world.start(packing(stream));
  await os.fs.download("/w/one", join(world.path, "renamed"));
  expect(readFileSync(join(world.path, "renamed"), "utf8")).toBe("one");
});

test("a download never writes through a link on the host, whoever made it", async () => {
  const outside = join(world.path, "outside");
  const target = join(world.path, "out");
  mkdirSync(outside);
  mkdirSync(target);
  writeFileSync(join(outside, "file"), "mine");
  symlinkSync(outside, join(target, "sub"));
  symlinkSync(join(outside, "file"), join(target, "file"));
  const [os] = await world.start(
    packing(
      tree(
        ...file("file", "theirs"),
        directory("sub"),
        ...file("file", "theirs"),
        writeTree.up,
        // The stream's own link, then something below it.
        writeTree.link(name("trap"), name(outside)),
        directory("trap"),
        ...file("file", "theirs"),
        writeTree.up,
      ),
    ),
  );
  await os.fs.download("/w", target);
  expect(readFileSync(join(outside, "file"), "utf8")).toBe("mine");
  expect(readdirSync(outside)).toEqual(["file"]);
  for (const path of ["file", "sub/file", "trap/file"])
    expect(readFileSync(join(target, path), "utf8")).toBe("theirs");
});

test.each([
  [
    "a hard link to a file outside",
    writeTree.hardLink(name("mine"), name("../secret")),
    /PROTOCOL_ERROR/,
  ],
  [
    "a hard link through a link",
    Buffer.concat([
      writeTree.link(name("up"), name("..")),
      writeTree.hardLink(name("mine"), name("up/secret")),
    ]),
    /ELOOP|ENOTDIR/,
  ],
  [
    "a hard link to a link's target",
    Buffer.concat([
      writeTree.link(name("l"), name("../secret")),
      writeTree.hardLink(name("mine"), name("l")),
    ]),
    undefined,
  ],
  ["a name that leads out", Buffer.concat(file("../mine", "x")), /PROTOCOL_ERROR/],
  ["an absolute name", Buffer.concat(file("/tmp/mine", "x")), /PROTOCOL_ERROR/],
])("%s leads nowhere", async (_what, part, code) => {
  writeFileSync(join(world.path, "secret"), "mine");
  const [os] = await world.start(packing(tree(part)));
  const target = join(world.path, "out");
  const downloaded = os.fs.download("/w", target).then(
    () => "done",
    (error: unknown) => String(error instanceof Error && "code" in error ? error.code : error),
  );
  expect(await downloaded).toMatch(code ?? /done/);
  // The link itself may have a second name, what it leads to may not.
  const mine = join(target, "mine");
  expect(!existsSync(mine) || lstatSync(mine).isSymbolicLink()).toBe(true);
  expect(statSync(join(world.path, "secret")).nlink).toBe(1);
  expect(existsSync(join(world.path, "mine"))).toBe(false);
});

test("a transfer that fails says why, and one that is cut says so", async () => {
  const [os] = await world.start(packing(Buffer.alloc(0), "2 stat "));
  const target = join(world.path, "x");
  await expect(os.fs.download("/none", target)).rejects.toMatchObject({
    code: "FILE_SYSTEM",
    details: { errno: "ENOENT", path: "/none" },
  });
  expect(existsSync(target)).toBe(false);
  await expect(os.fs.upload(join(world.path, "none"), "/w")).rejects.toMatchObject({
    code: "ENOENT",
  });
  const signal = AbortSignal.abort(new RangeError("stop"));
  await expect(os.fs.download("/w", target, { signal })).rejects.toMatchObject({
    code: "CANCELLED",
  });
});

test("a stream without its end leaves nothing half under a name", async () => {
  const whole = tree(...file("a", "whole"), writeTree.file(name("b"), attributes, 10));
  const cut = whole.subarray(0, -2);
  const [os] = await world.start(packing(cut));
  const target = join(world.path, "out");
  await expect(os.fs.download("/w", target)).rejects.toMatchObject({
    code: "TRANSFER_INTERRUPTED",
    details: { path: "/w" },
  });
  expect(readdirSync(target)).toEqual(["a"]);
});

test("an upload sends modes, times, links and holes, and leaves out what it is told to", async () => {
  const source = join(world.path, "in");
  mkdirSync(join(source, "keep/deep"), { recursive: true });
  mkdirSync(join(source, "node_modules"));
  writeFileSync(join(source, "node_modules/x"), "x");
  writeFileSync(join(source, "keep/.gitignore"), "*.log\n!kept.log\n/deep/\n");
  writeFileSync(join(source, "keep/a.log"), "x");
  writeFileSync(join(source, "keep/kept.log"), "x");
  writeFileSync(join(source, "keep/deep/file"), "x");
  writeFileSync(join(source, "big"), Buffer.alloc(300_000, 7));
  linkSync(join(source, "big"), join(source, "same"));
  symlinkSync("big", join(source, "link"));
  utimesSync(join(source, "big"), 1_700_000_000, 1_700_000_000);
  const records: TreeRecord[] = [];
  const [os] = await world.start(unpacking(records));
  const result = await os.fs.upload(source, "/w", { ignore: ["node_modules/"], gitignore: true });
  expect(namesOf(records).toSorted()).toEqual(
    ["", ".gitignore", "big", "keep", "kept.log", "link", "same"].toSorted(),
  );
  expect(result).toMatchObject({ directories: 2, files: 4, links: 1, skipped: [] });
  const [big] = records.filter((record) => record.kind === "file" && record.size === 300_000);
  expect(big).toMatchObject({ mtimeMs: 1_700_000_000_000 });
  expect(records.filter(({ kind }) => kind === "hardLink")).toHaveLength(1);
  const unknown: object = { filter: [] };
  await expect(os.fs.upload(source, "/w", unknown)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
});

test("an upload whose source fails rejects with that failure", async () => {
  const source = join(world.path, "in");
  mkdirSync(source);
  writeFileSync(join(source, "a"), "x");
  const [os] = await world.start(unpacking([]));
  const failing = os.fs.upload(source, "/w", {
    exclude: () => {
      throw new RangeError("mine");
    },
  });
  await expect(failing).rejects.toThrow(new RangeError("mine"));
});
