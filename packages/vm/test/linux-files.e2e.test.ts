import { createHash, randomBytes } from "node:crypto";

import type { VmHandle } from "@agentos/core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { CollectingSink } from "./collecting-sink.ts";
import { DriverFixture, readFile, run, WINDOW_BYTES, writeFile } from "./linux-vm-fixture.ts";

let fixture: DriverFixture;
let vm: VmHandle;

beforeAll(async () => {
  fixture = await DriverFixture.start();
  vm = await fixture.create();
});

afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
});

const fails = (errno: string, message?: string): object => ({
  code: "FILE_SYSTEM",
  errno,
  ...(message === undefined ? {} : { message }),
});

test("a file is written, read, appended to and read in parts", async () => {
  expect(await writeFile(vm, "/workspace/a", "hello")).toBe(5);
  expect(String(await readFile(vm, "/workspace/a"))).toBe("hello");
  const sink = new CollectingSink();
  const append = vm.files.write(
    { path: "/workspace/a", mode: 0o644, start: 0, how: "append", windowBytes: WINDOW_BYTES },
    sink,
  );
  await sink.write(append, Buffer.from(" world"), WINDOW_BYTES);
  expect(await append.written).toEqual({ size: 11 });
  expect(String(await readFile(vm, "/workspace/a", { start: 3, length: 5 }))).toBe("lo wo");
});

test("100 MiB go in and come out unchanged", async () => {
  const bytes = randomBytes(1024 * 1024);
  const large = Buffer.concat(Array.from({ length: 100 }, () => bytes));
  expect(await writeFile(vm, "/workspace/large", large)).toBe(large.byteLength);
  const expected = createHash("sha256").update(large).digest("hex");
  const { stdout } = await run(vm, ["sha256sum", "large"]);
  expect(stdout).toBe(`${expected}  large\n`);
  const back = await readFile(vm, "/workspace/large");
  expect(createHash("sha256").update(back).digest("hex")).toBe(expected);
  await vm.files.rm("/workspace/large", { recursive: false, force: false });
});

test("stat tells type, mode, size, owner and times", async () => {
  await writeFile(vm, "/workspace/s", "1234");
  await vm.files.chmod("/workspace/s", 0o640);
  const { stdout } = await run(vm, ["stat", "-c", "%Y %i %h", "s"]);
  const [seconds, ino, links] = stdout.trim().split(" ").map(Number);
  const stat = await vm.files.stat("/workspace/s");
  expect(stat).toMatchObject({ type: "file", mode: 0o640, size: 4, uid: 1000, gid: 1000, ino });
  expect(stat.nlink).toBe(links);
  expect(Math.floor(stat.mtimeMs / 1000)).toBe(seconds);
  expect(await vm.files.stat("/tmp")).toMatchObject({ type: "directory", mode: 0o1777 });
  expect(await vm.files.stat("/dev/null")).toMatchObject({ type: "character_device" });
});

test("directories are made, listed and removed", async () => {
  await vm.files.mkdir("/workspace/d/e/f", { mode: 0o755, recursive: true });
  await writeFile(vm, "/workspace/d/file", "x");
  await vm.files.symlink("file", "/workspace/d/link");
  const sink = new CollectingSink(1);
  const { stat, stream } = await vm.files.readdir("/workspace/d", sink);
  sink.attach(stream);
  await sink.complete();
  stream.close();
  expect(stat.type).toBe("directory");
  expect(entries(Buffer.concat(sink.stdout))).toEqual(["d e", "f file", "l link"]);
  await expect(
    vm.files.rm("/workspace/d", { recursive: false, force: false }),
  ).rejects.toMatchObject({ code: "FILE_SYSTEM" });
  await vm.files.rm("/workspace/d", { recursive: true, force: false });
  await expect(vm.files.stat("/workspace/d")).rejects.toMatchObject(
    fails("ENOENT", "ENOENT: no such file or directory, stat '/workspace/d'"),
  );
  await vm.files.rm("/workspace/d", { recursive: true, force: true });
});

test("files are renamed, copied, linked and truncated", async () => {
  await writeFile(vm, "/workspace/r1", "abcdef");
  await vm.files.rename("/workspace/r1", "/workspace/r2");
  await vm.files.copy("/workspace/r2", "/workspace/r3", { recursive: false, overwrite: true });
  await vm.files.truncate("/workspace/r3", 2);
  expect(String(await readFile(vm, "/workspace/r3"))).toBe("ab");
  await vm.files.symlink("r3", "/workspace/r4");
  expect(await vm.files.readlink("/workspace/r4")).toBe("r3");
  expect(await vm.files.realpath("/workspace/r4")).toBe("/workspace/r3");
  expect(await vm.files.lstat("/workspace/r4")).toMatchObject({ type: "symlink" });
  await expect(
    vm.files.copy("/workspace/r2", "/workspace/r3", { recursive: false, overwrite: false }),
  ).rejects.toMatchObject(
    fails("EEXIST", "EEXIST: file already exists, copyfile '/workspace/r2' -> '/workspace/r3'"),
  );
  await vm.files.mkdir("/workspace/tree/sub", { mode: 0o755, recursive: true });
  await writeFile(vm, "/workspace/tree/sub/f", "in the tree");
  await vm.files.copy("/workspace/tree", "/workspace/tree2", { recursive: true, overwrite: true });
  expect(String(await readFile(vm, "/workspace/tree2/sub/f"))).toBe("in the tree");
});

test("errors are what Node says of them", async () => {
  const { files } = vm;
  await expect(readFile(vm, "/workspace/none")).rejects.toMatchObject(
    fails("ENOENT", "ENOENT: no such file or directory, open '/workspace/none'"),
  );
  await expect(readFile(vm, "/workspace")).rejects.toMatchObject(fails("EISDIR"));
  await expect(writeFile(vm, "/usr/bin/zz", "x")).rejects.toMatchObject(fails("EROFS"));
  await expect(writeFile(vm, "/none/zz", "x")).rejects.toMatchObject(fails("ENOENT"));
  await expect(files.rename("/workspace/n1", "/workspace/n2")).rejects.toMatchObject(
    fails("ENOENT", "ENOENT: no such file or directory, rename '/workspace/n1' -> '/workspace/n2'"),
  );
  await expect(files.symlink("c", "/tmp")).rejects.toMatchObject(
    fails("EEXIST", "EEXIST: file already exists, symlink 'c' -> '/tmp'"),
  );
  await expect(files.readlink("/tmp")).rejects.toMatchObject(fails("EINVAL"));
  await expect(files.mkdir("/tmp", { mode: 0o755, recursive: false })).rejects.toMatchObject(
    fails("EEXIST"),
  );
  await expect(files.stat(`/${"x".repeat(300)}`)).rejects.toMatchObject(fails("ENAMETOOLONG"));
  await expect(files.stat("/a\0b")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("a FIFO never blocks the VM", async () => {
  await run(vm, ["mkfifo", "/tmp/fifo"]);
  await expect(readFile(vm, "/tmp/fifo")).rejects.toMatchObject(fails("EINVAL"));
  await vm.ping();
});

test("a full disk fails the write, and the VM goes on", async () => {
  const small = await fixture.create({ limits: { diskBytes: 4 * 1024 * 1024 } });
  const bytes = Buffer.alloc(8 * 1024 * 1024);
  await expect(writeFile(small, "/workspace/full", bytes)).rejects.toMatchObject(fails("ENOSPC"));
  await small.ping();
  await small[Symbol.asyncDispose]();
});

test("a link that the guest plants leads nowhere but into the guest", async () => {
  await run(vm, ["ln", "-s", "/etc/shadow", "/workspace/evil"]);
  await expect(readFile(vm, "/workspace/evil")).rejects.toMatchObject(fails("ENOENT"));
  await run(vm, ["ln", "-s", "/etc/passwd", "/workspace/evil2"]);
  expect(String(await readFile(vm, "/workspace/evil2"))).toContain("agent:x:1000");
});

/** "type name" of each, sorted. */
function entries(bytes: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at < bytes.byteLength;) {
    const length = bytes.readUInt16LE(at + 1);
    const type = String.fromCharCode(bytes.readUInt8(at));
    found.push(`${type} ${bytes.toString("utf8", at + 3, at + 3 + length)}`);
    at += 3 + length;
  }
  return found.toSorted();
}
