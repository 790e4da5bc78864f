// Compiles native/*.c into dist/vmd-linux-<arch>, a static program without dependencies.
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { execa } from "execa";

const root = fileURLToPath(new URL("..", import.meta.url));
const native = join(root, "native");
const flags = [
  "-static",
  "-O2",
  "-std=gnu11",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-fno-strict-aliasing",
  "-fstack-protector-strong",
  "-D_FORTIFY_SOURCE=2",
];
const [compiler = "cc", ...compilerArgs] = (process.env["CC"] || "cc").split(/\s+/).filter(Boolean);

/** @param {string[]} args */
function compile(args) {
  return execa(compiler, [...compilerArgs, ...flags, ...args], { reject: false, all: true });
}

/** Every file below native/ but its tests, and the folders too: a deletion only shows there. */
async function inputs() {
  const entries = await readdir(native, { recursive: true }).catch(() => []);
  const sources = entries.filter((name) => !/^test(\/|$)/.test(name)).toSorted();
  const files = ["native", "scripts/build-vmd.mjs", "package.json"];
  return [...files, ...sources.map((name) => join("native", name))].map((name) => join(root, name));
}

/** @param {string} output @param {string[]} files */
async function isFresh(output, files) {
  const built = await stat(output).catch(() => undefined);
  if (built === undefined) return false;
  const changes = await Promise.all(files.map(async (file) => (await stat(file)).mtimeMs));
  return changes.every((changedAt) => changedAt < built.mtimeMs);
}

/** Whether a program of one line compiles and links: tells a missing tool from faulty sources. */
async function canCompile() {
  const folder = await mkdtemp(join(tmpdir(), "vmd-probe-"));
  try {
    const source = join(folder, "probe.c");
    await writeFile(source, "int main(void) { return 0; }\n");
    const { failed } = await compile(["-o", join(folder, "probe"), source]);
    return !failed;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether a build without the program is a failure. */
function isRequired() {
  const switches = [process.env["AGENTOS_REQUIRE_VMD"], process.env["CI"]];
  return switches.some((value) => !["", "0", "false"].includes(value ?? ""));
}

/** Builds the program, and returns the exit status. */
async function main() {
  if (process.platform !== "linux") return 0;
  if (process.arch !== "x64" && process.arch !== "arm64") {
    console.log(`vmd: no build for ${process.arch}; the linux driver will be unavailable`);
    return isRequired() ? 1 : 0;
  }
  const files = await inputs();
  const sources = files.filter((file) => /\/native\/[^/]+\.c$/.test(file));
  if (sources.length === 0) {
    console.log("vmd: native/ holds no .c file yet, nothing to compile");
    return 0;
  }
  const output = join(root, "dist", `vmd-linux-${process.arch}`);
  if (await isFresh(output, files)) return 0;
  if (!(await canCompile())) {
    await rm(output, { force: true });
    console.log(
      `vmd: no C compiler (${compiler}) or no static libc; the linux driver will be unavailable`,
    );
    return isRequired() ? 1 : 0;
  }
  await mkdir(join(root, "dist"), { recursive: true });
  // Renamed at the end, so that nobody starts half a program.
  const unfinished = `${output}.${process.pid}`;
  const { failed, all } = await compile(["-o", unfinished, ...sources]);
  if (all) console.error(all);
  if (failed) {
    await rm(unfinished, { force: true });
    return 1;
  }
  await rename(unfinished, output);
  return 0;
}

process.exitCode = await main();
