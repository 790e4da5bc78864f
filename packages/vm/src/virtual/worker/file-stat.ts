import type { FileStat } from "@agentos/protocol";

import { nodeBytes, type TreeNode } from "../tree/tree-node.ts";

/** Everybody in a virtual VM is this user. */
const AGENT = 1000;

export function statOf(node: TreeNode): FileStat {
  const { type, mode, ino, mtimeMs } = node;
  const times = { mtimeMs, atimeMs: mtimeMs, ctimeMs: mtimeMs };
  return { type, mode, size: nodeBytes(node), ino, nlink: 1, uid: AGENT, gid: AGENT, ...times };
}
