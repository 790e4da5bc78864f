import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const PROGRAMS = ["sh", "cat", "ls", "id", "touch", "rm", "mkdir", "stat", "mv"];

/** Makes a root filesystem of a few programs of this machine, with the libraries that they need. */
export function makeSmallRoot(root: string): void {
  for (const name of PROGRAMS) {
    const program = realpathSync(execFileSync("which", [name], { encoding: "utf8" }).trim());
    put(program, join(root, "bin", name), 0o755);
    const libraries = execFileSync("ldd", [program], { encoding: "utf8" });
    for (const [, library] of libraries.matchAll(/(\/\S+) \(0x/g))
      if (library !== undefined) put(realpathSync(library), join(root, library), 0o755);
  }
  mkdirSync(join(root, "etc"), { recursive: true });
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  writeFileSync(join(root, "etc/from-image"), "small\n");
}

function put(from: string, to: string, mode: number): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  chmodSync(to, mode);
}
