import { describe, expect, test } from "vitest";

import { FileTree } from "../../src/virtual/tree/file-tree.ts";

const LIMITS = { bytes: 1024 * 1024, nodes: 1000 };

function write(tree: FileTree, path: string, text: string): void {
  tree.openFile(path, 0o644, "truncate");
  tree.writeAt(path, 0, Buffer.from(text));
}

function read(tree: FileTree, path: string): string {
  const { bytes, size } = tree.getFile(path, "open");
  return Buffer.from(bytes.subarray(0, size)).toString();
}

const failing = (errno: string): object =>
  expect.objectContaining({ details: expect.objectContaining({ errno }) });

describe("a copy-on-write tree", () => {
  test("files are written, appended to, shortened and removed", () => {
    const tree = new FileTree(LIMITS);
    tree.mkdirAll("/a/b", 0o755);
    write(tree, "/a/b/one", "12345");
    tree.writeAt("/a/b/one", 5, Buffer.from("678"));
    tree.writeAt("/a/b/one", 10, Buffer.from("x"));
    expect(read(tree, "/a/b/one")).toBe("12345678\0\0x");
    tree.truncate("/a/b/one", 2);
    tree.truncate("/a/b/one", 4);
    expect(read(tree, "/a/b/one")).toBe("12\0\0");
    tree.remove("/a", "rm");
    expect(() => tree.get("/a/b", "stat")).toThrow(failing("ENOENT"));
    expect([tree.bytes, tree.nodes]).toEqual([0, 1]);
  });

  test("links are followed, and a circle of them is ELOOP", () => {
    const tree = new FileTree(LIMITS);
    tree.mkdirAll("/a/b", 0o755);
    write(tree, "/a/b/file", "text");
    tree.symlink("a/b", "/rel");
    tree.symlink("/rel/../b/file", "/abs");
    expect(read(tree, "/abs")).toBe("text");
    expect(tree.realpath("/rel/./file")).toBe("/a/b/file");
    write(tree, "/abs", "other");
    expect(read(tree, "/a/b/file")).toBe("other");
    tree.symlink("/y", "/x");
    tree.symlink("/x", "/y");
    expect(() => tree.get("/x", "stat")).toThrow(failing("ELOOP"));
    expect(tree.get("/x", "lstat", false).type).toBe("symlink");
  });

  test("a snapshot stays as it was, whatever its tree and its forks do", () => {
    const tree = new FileTree(LIMITS);
    tree.mkdirAll("/a/b", 0o755);
    write(tree, "/a/b/file", "first");
    write(tree, "/a/gone", "gone");
    const snapshot = tree.snapshot();
    const fork = new FileTree(LIMITS, snapshot);
    tree.writeAt("/a/b/file", 0, Buffer.from("F"));
    tree.remove("/a/gone", "rm");
    tree.chmod("/a", 0o700);
    fork.writeAt("/a/b/file", 4, Buffer.from("Tree"));
    fork.rename("/a/b", "/c");
    expect([read(tree, "/a/b/file"), read(fork, "/c/file")]).toEqual(["First", "firsTree"]);
    const third = new FileTree(LIMITS, snapshot);
    expect([read(third, "/a/b/file"), read(third, "/a/gone")]).toEqual(["first", "gone"]);
    expect(third.get("/a", "stat").mode).toBe(0o755);
    expect([third.bytes, third.nodes]).toEqual([9, 5]);
  });

  test("a copy shares its bytes until one of the two is written", () => {
    const tree = new FileTree(LIMITS);
    tree.mkdirAll("/a", 0o755);
    write(tree, "/a/file", "same");
    tree.copy("/a", "/b");
    tree.writeAt("/a/file", 0, Buffer.from("A"));
    tree.writeAt("/b/file", 0, Buffer.from("B"));
    expect([read(tree, "/a/file"), read(tree, "/b/file")]).toEqual(["Aame", "Bame"]);
    expect(tree.bytes).toBe(8);
    expect(() => tree.copy("/a", "/a/inside")).toThrow(failing("EINVAL"));
  });

  test("what is full stays as it was", () => {
    let hits = 0;
    const tree = new FileTree({ bytes: 10, nodes: 3, onFull: () => (hits += 1) });
    write(tree, "/a", "12345678");
    expect(() => tree.writeAt("/a", 8, Buffer.from("90x"))).toThrow(failing("ENOSPC"));
    expect(() => tree.truncate("/a", 2 ** 40)).toThrow(failing("ENOSPC"));
    expect(read(tree, "/a")).toBe("12345678");
    tree.mkdir("/b", 0o755);
    expect(() => tree.mkdir("/c", 0o755)).toThrow(failing("ENOSPC"));
    expect([tree.bytes, tree.nodes, hits]).toEqual([8, 3, 3]);
    tree.remove("/a", "rm");
    write(tree, "/d", "1234567890");
    expect(tree.bytes).toBe(10);
  });

  test("rename has the rules of a real one", () => {
    const tree = new FileTree(LIMITS);
    tree.mkdirAll("/a/b", 0o755);
    tree.mkdir("/empty", 0o755);
    write(tree, "/file", "x");
    expect(() => tree.rename("/a", "/a/b/c")).toThrow(failing("EINVAL"));
    expect(() => tree.rename("/file", "/a")).toThrow(failing("EISDIR"));
    expect(() => tree.rename("/empty", "/file")).toThrow(failing("ENOTDIR"));
    expect(() => tree.rename("/empty", "/a")).toThrow(failing("ENOTEMPTY"));
    expect(() => tree.rename("/none", "/x")).toThrow(failing("ENOENT"));
    tree.rename("/a", "/empty");
    expect([...tree.getDirectory("/", "scandir").children.keys()].toSorted()).toEqual([
      "empty",
      "file",
    ]);
    expect(tree.nodes).toBe(4);
  });

  test("paths that no filesystem has are refused", () => {
    const tree = new FileTree({ ...LIMITS, readOnly: new Set(["usr"]) });
    expect(() => tree.mkdir(`/${"x".repeat(256)}`, 0o755)).toThrow(failing("ENAMETOOLONG"));
    expect(() => tree.mkdirAll("/d".repeat(1500), 0o755)).toThrow(failing("ENAMETOOLONG"));
    expect(() => tree.mkdir("/usr", 0o755)).toThrow(failing("EROFS"));
    expect(() => tree.remove("/", "rm")).toThrow(failing("EBUSY"));
    write(tree, "/file", "x");
    expect(() => tree.mkdir("/file/x", 0o755)).toThrow(failing("ENOTDIR"));
    expect(() => tree.get("/file/", "stat")).toThrow(failing("ENOTDIR"));
  });
});
