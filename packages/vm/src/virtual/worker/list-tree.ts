import { createHash } from "node:crypto";

import type { FileTree } from "../tree/file-tree.ts";
import { treeError } from "../tree/tree-error.ts";
import { nodeBytes, type TreeNode } from "../tree/tree-node.ts";

const LETTERS = { file: "f", directory: "d", symlink: "l" } as const;
const HEAD_BYTES = 29;
const NS_PER_MS = 1_000_000;
const DIGESTED_MAX = 1024 * 1024;
const NO_DIGEST = Buffer.of(0);
const UP = Buffer.from("U");
const END = Buffer.from("E");

export interface ListTreeOptions {
  /** Absolute paths that are left out. */
  readonly without: ReadonlySet<string>;
  readonly digest: boolean;
}

/** Everything below `path` of a virtual VM's files as a list stream. A link at the top is followed. */
export function* listTree(
  tree: FileTree,
  path: string,
  options: ListTreeOptions,
): Generator<Uint8Array, void> {
  const node = tree.get(path, "open");
  if (node.type !== "directory") throw treeError("ENOTDIR", "open", path);
  yield* listNode(node, "", path === "/" ? "" : path, options);
  yield END;
}

function* listNode(
  node: TreeNode,
  name: string,
  path: string,
  options: ListTreeOptions,
): Generator<Uint8Array, void> {
  yield factsOf(node, name);
  yield options.digest ? digestOf(node) : NO_DIGEST;
  if (node.type !== "directory") return;
  // As it is now: what it has later does not come.
  const children = [...node.children];
  for (const [child, below] of children) {
    const full = `${path}/${child}`;
    if (!options.without.has(full)) yield* listNode(below, child, full, options);
  }
  yield UP;
}

function factsOf(node: TreeNode, name: string): Uint8Array {
  const head = Buffer.alloc(HEAD_BYTES);
  const ns = BigInt(Math.round(node.mtimeMs * NS_PER_MS));
  head.write(LETTERS[node.type], "latin1");
  head.writeUInt32LE(node.mode & 0o7777, 1);
  head.writeBigUInt64LE(BigInt(nodeBytes(node)), 5);
  head.writeBigInt64LE(ns, 13);
  head.writeBigInt64LE(ns, 21);
  return Buffer.concat([head, text(name), text(node.type === "symlink" ? node.content : "")]);
}

function digestOf(node: TreeNode): Uint8Array {
  if (node.type !== "file" || node.size > DIGESTED_MAX) return NO_DIGEST;
  const sum = createHash("sha256").update(node.bytes.subarray(0, node.size)).digest();
  return Buffer.concat([Buffer.of(sum.byteLength), sum]);
}

function text(value: string): Uint8Array {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeUInt16LE(bytes.byteLength);
  return Buffer.concat([length, bytes]);
}
