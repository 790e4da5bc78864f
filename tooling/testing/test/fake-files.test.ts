import { CHANNEL, encodeAck, encodeFrame, FRAME_KIND } from "@agentos/protocol";
import { expect, test } from "vitest";

import { floodBytes } from "../src/fake-programs.ts";
import { RecordingSink } from "../src/recording-sink.ts";
import { startVm } from "./start-vm.ts";

const WRITE = { mode: 0o644, start: 0, how: "truncate", windowBytes: 4096 } as const;

test("a file is written from frames and read back, as credit allows", async () => {
  const { files } = await startVm();
  const bytes = floodBytes(0, 10_000);
  const acks = new RecordingSink();
  const write = files.write({ ...WRITE, path: "/workspace/a" }, acks);
  write.send(encodeFrame(FRAME_KIND.dataIn, 1, 0, bytes.subarray(0, 6_000)));
  write.send(encodeFrame(FRAME_KIND.dataIn, 1, 5_000, bytes.subarray(5_000)));
  write.send(encodeFrame(FRAME_KIND.eofIn, 1, 10_000));
  expect(await write.written).toEqual({ size: 10_000 });
  await acks.until(({ frames }) => frames.at(-1)?.offset === 10_000);

  const sink = new RecordingSink();
  const range = { path: "/workspace/a", start: 1_000, windowBytes: 4096 };
  const { stat, stream } = await files.read(range, sink);
  expect(stat).toMatchObject({ type: "file", size: 10_000, mode: 0o644 });
  await sink.until(({ stdout }) => stdout.byteLength === 4096);
  stream.send(encodeAck(1, CHANNEL.stdout, 4096));
  sink.attach(stream);
  await sink.ended();
  expect(sink.stdout.equals(bytes.subarray(1_000))).toBe(true);
});

test("append adds, keep writes over, exclusive refuses", async () => {
  const { files } = await startVm();
  files.tree.writeText("/tmp/a", "abcdef");
  const write = async (how: "append" | "keep" | "exclusive", start: number) => {
    const stream = files.write({ ...WRITE, path: "/tmp/a", how, start }, new RecordingSink());
    stream.send(encodeFrame(FRAME_KIND.dataIn, 1, 0, Buffer.from("XY")));
    stream.send(encodeFrame(FRAME_KIND.eofIn, 1, 2));
    return await stream.written;
  };
  await write("keep", 1);
  await write("append", 0);
  expect(files.tree.readText("/tmp/a")).toBe("aXYdefXY");
  await expect(write("exclusive", 0)).rejects.toMatchObject({ errno: "EEXIST" });
});

test("a directory is listed in packed entries, hostile names included", async () => {
  const { files } = await startVm();
  files.tree.writeText("/tmp/__proto__", "x");
  await files.symlink("nowhere", "/tmp/é");
  const sink = new RecordingSink();
  const { stream } = await files.readdir("/tmp", sink);
  sink.attach(stream);
  await sink.ended();
  const entries = [];
  for (let rest = sink.stdout; rest.byteLength > 0;) {
    const length = rest.readUInt16LE(1);
    entries.push(`${rest.toString("latin1", 0, 1)} ${rest.toString("utf8", 3, 3 + length)}`);
    rest = rest.subarray(3 + length);
  }
  expect(entries).toEqual(["f __proto__", "l é"]);
});

test("links are followed, loops and dangling ends are errors", async () => {
  const { files } = await startVm();
  files.tree.writeText("/workspace/d/file", "text");
  await files.symlink("../workspace/d", "/tmp/link");
  await files.symlink("loop", "/tmp/loop");
  expect(await files.realpath("/tmp/link/./file")).toBe("/workspace/d/file");
  expect(await files.readlink("/tmp/link")).toBe("../workspace/d");
  expect((await files.stat("/tmp/link")).type).toBe("directory");
  expect((await files.lstat("/tmp/link")).type).toBe("symlink");
  await expect(files.stat("/tmp/loop")).rejects.toMatchObject({ errno: "ELOOP" });
  await expect(files.stat("/tmp/link/none")).rejects.toMatchObject({ errno: "ENOENT" });
  await expect(files.stat("/workspace/d/file/x")).rejects.toMatchObject({ errno: "ENOTDIR" });
  expect((await files.stat("/..")).type).toBe("directory");
});

test("trees are made, copied, renamed and removed", async () => {
  const { files } = await startVm();
  await files.mkdir("/workspace/a/b", { mode: 0o700, recursive: true });
  files.tree.writeText("/workspace/a/b/file", "1");
  await files.copy("/workspace/a", "/workspace/copy", { recursive: true, overwrite: true });
  await files.truncate("/workspace/a/b/file", 0);
  expect(files.tree.readText("/workspace/copy/b/file")).toBe("1");
  await files.rename("/workspace/copy", "/tmp/moved");
  await expect(files.rename("/tmp/moved", "/tmp/moved/in")).rejects.toMatchObject({
    errno: "EINVAL",
  });
  await expect(files.rm("/tmp/moved", { recursive: false, force: false })).rejects.toMatchObject({
    errno: "EISDIR",
  });
  await files.rm("/tmp/moved", { recursive: true, force: false });
  await files.rm("/tmp/moved", { recursive: true, force: true });
  await files.chmod("/workspace/a", 0o750);
  expect((await files.stat("/workspace/a")).mode).toBe(0o750);
});

test("a closed write is cancelled; a dead VM ends what is under way", async () => {
  const vm = await startVm();
  const write = vm.files.write({ ...WRITE, path: "/tmp/a" }, new RecordingSink());
  write.close();
  await expect(write.written).rejects.toMatchObject({ code: "CANCELLED" });
  const other = vm.files.write({ ...WRITE, path: "/tmp/b" }, new RecordingSink());
  vm.die();
  await expect(other.written).rejects.toMatchObject({ code: "VM_ENDED" });
  await expect(vm.files.stat("/tmp")).rejects.toMatchObject({ code: "VM_ENDED" });
});
