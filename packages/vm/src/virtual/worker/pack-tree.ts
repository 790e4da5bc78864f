import { writeTree } from "@agentos/protocol";

import type { FileTree } from "../tree/file-tree.ts";
import type { TreeNode } from "../tree/tree-node.ts";

const PIECE_BYTES = 256 * 1024;

/** A virtual VM's files at `path` as a tree stream. A link at the top is followed. */
export function* packTree(tree: FileTree, path: string): Generator<Uint8Array, void> {
  const node = tree.get(path, "stat");
  yield* packNode(node, Buffer.alloc(0));
  yield writeTree.end;
}

function* packNode(node: TreeNode, name: Uint8Array): Generator<Uint8Array, void> {
  if (node.type === "symlink") {
    yield writeTree.link(name, Buffer.from(node.content));
  } else if (node.type === "file") {
    yield writeTree.file(name, node, node.size);
    const { bytes, size } = node;
    for (let at = 0; at < size; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, Math.min(at + PIECE_BYTES, size));
      yield writeTree.piece(at, piece.byteLength);
      yield piece;
    }
    yield writeTree.fileEnd;
  } else {
    yield writeTree.directory(name, node);
    // As it is now: what it has later does not come.
    const children = [...node.children];
    for (const [child, below] of children) yield* packNode(below, Buffer.from(child));
    yield writeTree.up;
  }
}
