import type { FileTree } from "../tree/file-tree.ts";
import { treeError } from "../tree/tree-error.ts";
import { statOf } from "./file-stat.ts";
import type { GuestCall } from "./guest-call.ts";

/** A file operation that is answered at once. */
export type FileCall = Extract<
  GuestCall,
  {
    op:
      | "stat"
      | "lstat"
      | "readlink"
      | "realpath"
      | "mkdir"
      | "rm"
      | "rename"
      | "copy"
      | "symlink"
      | "chmod"
      | "truncate";
  }
>;

/** Does it, with the errors of a real filesystem. */
// oxlint-disable-next-line typescript/consistent-return -- Every case returns.
export function callFiles(tree: FileTree, call: FileCall): unknown {
  switch (call.op) {
    case "stat":
      return statOf(tree.get(call.path, "stat"));
    case "lstat":
      return statOf(tree.get(call.path, "lstat", false));
    case "readlink":
      return readlink(tree, call.path);
    case "realpath":
      return tree.realpath(call.path);
    case "mkdir":
      return call.recursive
        ? tree.mkdirAll(call.path, call.mode)
        : tree.mkdir(call.path, call.mode);
    case "rm":
      return rm(tree, call);
    case "rename":
      return tree.rename(call.from, call.to);
    case "copy":
      return copy(tree, call);
    case "symlink":
      return tree.symlink(call.content, call.path);
    case "chmod":
      return tree.chmod(call.path, call.mode);
    case "truncate":
      return tree.truncate(call.path, call.length);
  }
}

function readlink(tree: FileTree, path: string): string {
  const node = tree.get(path, "readlink", false);
  if (node.type !== "symlink") throw treeError("EINVAL", "readlink", path);
  return node.content;
}

function rm(tree: FileTree, { path, recursive, force }: Extract<FileCall, { op: "rm" }>): void {
  const { node } = tree.locate(path, "rm", false);
  if (node === undefined && force) return;
  if (node?.type === "directory" && !recursive) throw treeError("EISDIR", "rm", path);
  tree.remove(path, "rm");
}

function copy(tree: FileTree, call: Extract<FileCall, { op: "copy" }>): void {
  const { from, to, recursive, overwrite } = call;
  const { type } = tree.get(from, "copyfile", false);
  if (type === "directory" && !recursive) throw treeError("EISDIR", "copyfile", from, to);
  const { node } = tree.locate(to, "copyfile", false);
  if (node !== undefined && !overwrite) throw treeError("EEXIST", "copyfile", from, to);
  if (node?.type === "directory" && type !== "directory")
    throw treeError("EISDIR", "copyfile", from, to);
  tree.copy(from, to);
}
