import type { Shell } from "./shell.ts";
import { FileTree, type TreeSnapshot } from "../tree/file-tree.ts";

const FILES: Readonly<Record<string, string>> = {
  "/etc/group": "root:x:0:\nagent:x:1000:\n",
  "/etc/hostname": "agentos\n",
  "/etc/hosts": "127.0.0.1 localhost agentos\n",
  "/etc/os-release": 'NAME="AgentOS virtual"\nID=agentos-virtual\n',
  "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nagent:x:1000:1000:agent:/home/agent:/bin/sh\n",
};
/** What is the image's own. */
export const IMAGE_OWN: ReadonlySet<string> = new Set(["bin", "dev", "etc", "usr"]);

/** Commands of the shell itself that are programs elsewhere. */
const BUILTIN_PROGRAMS = ["[", "test"];

/** The files that every VM starts from: one frozen tree for all of a worker. */
export function baseImage({ getCommandNames }: Shell): TreeSnapshot {
  const tree = new FileTree({ bytes: Number.MAX_SAFE_INTEGER, nodes: Number.MAX_SAFE_INTEGER });
  for (const path of ["/dev", "/etc", "/home/agent", "/usr/bin", "/var/tmp", "/workspace"]) {
    tree.mkdirAll(path, 0o755);
  }
  tree.mkdir("/tmp", 0o1777);
  tree.chmod("/tmp", 0o1777);
  tree.chmod("/var/tmp", 0o1777);
  tree.symlink("usr/bin", "/bin");
  write(tree, "/dev/null", "", 0o666);
  for (const [path, text] of Object.entries(FILES)) write(tree, path, text, 0o644);
  // The interpreter looks a command up by such a file, and runs its own implementation of it.
  for (const name of [...getCommandNames(), ...BUILTIN_PROGRAMS]) {
    write(tree, `/usr/bin/${name}`, `#!/bin/sh\n# ${name} of the virtual driver\n`, 0o755);
  }
  const { bytes: _bytes, nodes: _nodes, ...frozen } = tree.snapshot();
  // What everybody has counts for nobody.
  return { ...frozen, bytes: 0, nodes: 0 };
}

function write(tree: FileTree, path: string, text: string, mode: number): void {
  tree.openFile(path, mode, "exclusive");
  tree.writeAt(path, 0, Buffer.from(text));
}
