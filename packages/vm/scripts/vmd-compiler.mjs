// The compiler of vmd for an architecture: this machine's own, or a cross compiler.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";

/** Stripped: symbols hold names of temporary files, and two builds must give the same bytes. */
const FLAGS = [
  "-static",
  "-s",
  "-O2",
  "-std=gnu11",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-fno-strict-aliasing",
  "-fstack-protector-strong",
  "-D_FORTIFY_SOURCE=2",
];

/** @type {Readonly<Record<string, { variable: string, cross: string }>>} */
const CROSS = {
  x64: { variable: "AGENTOS_CC_X64", cross: "x86_64-linux-gnu-gcc" },
  arm64: { variable: "AGENTOS_CC_ARM64", cross: "aarch64-linux-gnu-gcc" },
};

/** The words that start the compiler for `arch`: `CC` or cc for this machine's own. @param {string} arch */
export function compilerWords(arch) {
  const own = process.platform === "linux" && process.arch === arch;
  const { variable, cross } = CROSS[arch] ?? { variable: "CC", cross: "cc" };
  const words = process.env[own ? "CC" : variable] || (own ? "cc" : cross);
  return words.split(/\s+/).filter(Boolean);
}

/** What to do where there is no compiler for `arch`. @param {string} arch */
export function compilerRemedy(arch) {
  const { variable, cross } = CROSS[arch] ?? { variable: "CC", cross: "cc" };
  if (process.platform === "linux" && process.arch === arch)
    return "install a C compiler and a static libc";
  return `install ${cross} with its static libc, or name another in ${variable}`;
}

/**
 * @param {readonly string[]} words
 * @param {readonly string[]} args
 * @param {string} [cwd]
 */
export function compile([compiler = "cc", ...own], args, cwd) {
  const options = { reject: false, all: true, ...(cwd === undefined ? {} : { cwd }) };
  return execa(compiler, [...own, ...FLAGS, ...args], options);
}

/** Name and target of a compiler, or undefined where a program of one line does not compile and link: that tells a missing tool from faulty sources. @param {readonly string[]} words */
export async function probeCompiler(words) {
  const [compiler = "cc", ...own] = words;
  const folder = await mkdtemp(join(tmpdir(), "vmd-probe-"));
  try {
    const source = join(folder, "probe.c");
    await writeFile(source, "int main(void) { return 0; }\n");
    const { failed } = await compile(words, ["-o", join(folder, "probe"), source]);
    if (failed) return undefined;
    const [version, machine] = await Promise.all(
      ["--version", "-dumpmachine"].map((flag) => execa(compiler, [...own, flag])),
    );
    const [name = compiler] = (version?.stdout ?? "").split("\n");
    return { name, machine: machine?.stdout.trim() ?? "unknown", flags: FLAGS };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
