/** The tree that may change a node in place. Another tree copies it first: that is what makes snapshots free. */
export type Owner = object;

interface NodeBase {
  readonly owner: Owner;
  readonly ino: number;
  mode: number;
  mtimeMs: number;
}

export interface FileNode extends NodeBase {
  readonly type: "file";
  /** At least `size` long. */
  bytes: Uint8Array<ArrayBuffer>;
  size: number;
  /** Whether `bytes` is this node's alone. */
  hasOwnBytes: boolean;
}

export interface DirectoryNode extends NodeBase {
  readonly type: "directory";
  readonly children: Map<string, TreeNode>;
}

interface SymlinkNode extends NodeBase {
  readonly type: "symlink";
  readonly content: string;
}

export type TreeNode = FileNode | DirectoryNode | SymlinkNode;

/** What a node counts for: a file's bytes, the text of a link. */
export function nodeBytes(node: TreeNode): number {
  if (node.type === "file") return node.size;
  return node.type === "symlink" ? Buffer.byteLength(node.content) : 0;
}

/** A node and everything below it. */
export function measure(node: TreeNode): { bytes: number; nodes: number } {
  const sum = { bytes: nodeBytes(node), nodes: 1 };
  if (node.type !== "directory") return sum;
  for (const child of node.children.values()) {
    const below = measure(child);
    sum.bytes += below.bytes;
    sum.nodes += below.nodes;
  }
  return sum;
}
