// Compiles native/*.c into dist/vmd-linux-ARCH, a static program without dependencies, and says beside it what it was
// made of and by. `build-vmd.mjs` builds this machine's own, `build-vmd.mjs arm64` that of another.
import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { compile, compilerRemedy, compilerWords, probeCompiler } from "./vmd-compiler.mjs";
import {
  ARCHITECTURES,
  expectedProvenance,
  NATIVE,
  readProvenance,
  sha256Of,
  vmdPath,
  vmdSources,
} from "./vmd-provenance.mjs";

/** Whether a build without the program is a failure. */
function isRequired() {
  const switches = [process.env["AGENTOS_REQUIRE_VMD"], process.env["CI"]];
  return switches.some((value) => !["", "0", "false"].includes(value ?? ""));
}

/** Whether the binary is there and was made of and by the same. @param {string} path @param {object} expected */
async function isFresh(path, expected) {
  const found = await readProvenance(path).catch(() => undefined);
  const built = await stat(path).catch(() => undefined);
  if (found === undefined || built === undefined) return false;
  return isDeepStrictEqual(found, { ...expected, sha256: await sha256Of(path) });
}

/** Builds for `arch`, and returns the exit status. @param {string} arch @param {boolean} required */
async function build(arch, required) {
  const output = vmdPath(arch);
  const words = compilerWords(arch);
  const compiler = await probeCompiler(words);
  if (compiler === undefined) {
    await Promise.all([output, `${output}.json`].map((path) => rm(path, { force: true })));
    const remedy = compilerRemedy(arch);
    console.error(
      `vmd: "${words.join(" ")}" makes no static program for linux-${arch}, so there is none: ${remedy}`,
    );
    return required ? 1 : 0;
  }
  const provenance = await expectedProvenance(arch, compiler);
  if (await isFresh(output, provenance)) return 0;
  await mkdir(dirname(output), { recursive: true });
  // Renamed at the end, so that nobody starts half a program.
  const unfinished = `${output}.${process.pid}`;
  const sources = (await vmdSources()).filter((name) => name.endsWith(".c"));
  const { failed, all } = await compile(words, ["-o", unfinished, ...sources], NATIVE);
  if (all) console.error(all);
  if (failed) {
    await rm(unfinished, { force: true });
    return 1;
  }
  const built = { ...provenance, sha256: await sha256Of(unfinished) };
  await writeFile(`${unfinished}.json`, `${JSON.stringify(built, null, 2)}\n`);
  await rename(`${unfinished}.json`, `${output}.json`);
  await rename(unfinished, output);
  return 0;
}

async function main() {
  const [asked] = process.argv.slice(2);
  if (asked !== undefined) {
    if (ARCHITECTURES.includes(asked)) return await build(asked, true);
    console.error(`vmd: expected one of ${ARCHITECTURES.join(", ")}, got ${asked}`);
    return 1;
  }
  if (process.platform !== "linux") return 0;
  if (ARCHITECTURES.includes(process.arch)) return await build(process.arch, isRequired());
  console.error(`vmd: no build for ${process.arch}; the linux driver will be unavailable`);
  return isRequired() ? 1 : 0;
}

process.exitCode = await main();
