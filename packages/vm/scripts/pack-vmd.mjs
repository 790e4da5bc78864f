// Puts vmd for an architecture, and what it was built from, into the package that brings it: called by that package's
// prepack with the architecture. Refuses where the binary is missing, of something else, or of other sources.
import { chmod, copyFile, open, readFile } from "node:fs/promises";
import { join } from "node:path";

import { compilerRemedy } from "./vmd-compiler.mjs";
import {
  ARCHITECTURES,
  readProvenance,
  readSources,
  sha256Of,
  vmdPath,
} from "./vmd-provenance.mjs";

/** e_machine of an ELF header. @type {Readonly<Record<string, number>>} */
const MACHINES = { x64: 62, arm64: 183 };
const ELF_MAGIC = 0x7f454c46;

/** What is wrong with the binary, or undefined. @param {string} arch @param {string} version The package's. */
async function faultOf(arch, version) {
  const path = vmdPath(arch);
  const provenance = await readProvenance(path).catch(() => undefined);
  const machine = await machineOf(path);
  if (machine === undefined || provenance === undefined) {
    return `there is no vmd for linux-${arch}: ${compilerRemedy(arch)}, then run node packages/vm/scripts/build-vmd.mjs ${arch}`;
  }
  if (machine !== MACHINES[arch]) return `the binary is for ELF machine ${machine}`;
  const { hash } = await readSources();
  if (provenance.sourceSha256 !== hash) return "the binary was built from other sources";
  if (provenance.sha256 !== (await sha256Of(path)))
    return "the binary is not the one that its provenance speaks of";
  if (provenance.version !== version)
    return `the binary was built as ${provenance.version}, the package is ${version}`;
  return undefined;
}

/** @param {string} path */
async function machineOf(path) {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const header = Buffer.alloc(20);
    const { bytesRead } = await file.read(header, 0, header.length, 0);
    return bytesRead === header.length && header.readUInt32BE() === ELF_MAGIC
      ? header.readUInt16LE(18)
      : undefined;
  } finally {
    await file.close();
  }
}

async function main() {
  const [arch = ""] = process.argv.slice(2);
  if (!ARCHITECTURES.includes(arch)) throw new Error(`expected an architecture, got "${arch}"`);
  const folder = process.cwd();
  const manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const fault = await faultOf(arch, manifest.version);
  if (fault !== undefined) {
    console.error(`${manifest.name} can't be packed: ${fault}`);
    return 1;
  }
  await copyFile(vmdPath(arch), join(folder, "vmd"));
  await chmod(join(folder, "vmd"), 0o755);
  await copyFile(`${vmdPath(arch)}.json`, join(folder, "vmd.json"));
  return 0;
}

process.exitCode = await main();
