// What a vmd was built from and by: in the file beside it, and compared with before it is built or packed again.
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const packageRoot = fileURLToPath(new URL("..", import.meta.url));

/** Where the sources are. */
export const NATIVE = join(packageRoot, "native");

/** What vmd is built for. */
export const ARCHITECTURES = ["x64", "arm64"];

/** @param {string} arch */
export function vmdPath(arch) {
  return join(packageRoot, "dist", `vmd-linux-${arch}`);
}

/** The sources, by their names below native/; sorted, so that two builds are given the same. */
export async function vmdSources() {
  const names = await readdir(NATIVE);
  return names.filter((name) => /\.[ch]$/.test(name)).toSorted();
}

/**
 * What stands in the file beside a binary, but for the binary's own hash.
 * @param {string} arch
 * @param {{ name: string, machine: string, flags: readonly string[] }} compiler
 */
export async function expectedProvenance(arch, compiler) {
  const { version } = JSON.parse(await readFile(join(packageRoot, "package.json"), "utf8"));
  const { link, hash } = await readSources();
  return {
    name: "vmd",
    version,
    platform: "linux",
    arch,
    link,
    sourceSha256: hash,
    compiler: compiler.name,
    machine: compiler.machine,
    flags: compiler.flags,
  };
}

/** @param {string} path */
export async function sha256Of(path) {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}

/** @param {string} path The binary; undefined where nothing is said of it. */
export async function readProvenance(path) {
  const text = await readFile(`${path}.json`, "utf8").catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text);
}

/** Hash of every source, names included, and the link version that they define. */
export async function readSources() {
  const hash = createHash("sha256");
  let link;
  for (const name of await vmdSources()) {
    const text = await readFile(join(NATIVE, name), "utf8");
    hash.update(`${name}\0${text.length}\0${text}`);
    link ??= /^#define LINK_VERSION (\d+)u$/m.exec(text)?.[1];
  }
  if (link === undefined) throw new Error("expected native/ to define LINK_VERSION");
  return { hash: hash.digest("hex"), link: Number(link) };
}
