import { type DirectoryNode, type TreeNode } from "./tree-node.ts";
import { treeError } from "./tree-error.ts";

const MOST_LINKS = 40;
const MOST_NAME_BYTES = 255;
const MOST_PATH_BYTES = 4095;
/** Directories below one another: deeper, walking them would end the interpreter's stack. */
const MOST_DEPTH = 512;

/** Where a path leads once its links are followed; the last part may be missing. */
export interface Place {
  /** Names from the root to the directory that has, or would have, `name`. */
  readonly above: readonly string[];
  readonly name: string;
  readonly node: TreeNode | undefined;
}

interface Step {
  readonly name: string;
  readonly node: TreeNode;
}

/** Follows an absolute path through a tree. A link in the last part is followed where `follow`. */
export function locate(root: DirectoryNode, path: string, syscall: string, follow: boolean): Place {
  if (Buffer.byteLength(path) > MOST_PATH_BYTES) throw treeError("ENAMETOOLONG", syscall, path);
  const left = partsOf(path);
  let trail: Step[] = [];
  let links = 0;
  for (let part = left.shift(); part !== undefined; part = left.shift()) {
    if (part === "..") {
      trail.pop();
      continue;
    }
    const parent = trail.at(-1)?.node ?? root;
    if (parent.type !== "directory") throw treeError("ENOTDIR", syscall, path);
    const isTooMuch = Buffer.byteLength(part) > MOST_NAME_BYTES || trail.length >= MOST_DEPTH;
    if (isTooMuch) throw treeError("ENAMETOOLONG", syscall, path);
    const node = parent.children.get(part);
    if (node === undefined) {
      if (left.length > 0) throw treeError("ENOENT", syscall, path);
      return { above: trail.map(({ name }) => name), name: part, node };
    }
    if (node.type === "symlink" && (follow || left.length > 0)) {
      links += 1;
      if (links > MOST_LINKS) throw treeError("ELOOP", syscall, path);
      left.unshift(...partsOf(node.content));
      if (node.content.startsWith("/")) trail = [];
      continue;
    }
    trail.push({ name: part, node });
  }
  const last = trail.at(-1) ?? { name: "", node: root };
  if (path.endsWith("/") && last.node.type === "file") throw treeError("ENOTDIR", syscall, path);
  return { ...last, above: trail.slice(0, -1).map(({ name }) => name) };
}

/** The path of a place without links, `.` and `..`. */
export function pathOf({ above, name }: Place): string {
  return `/${[...above, ...(name === "" ? [] : [name])].join("/")}`;
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}
