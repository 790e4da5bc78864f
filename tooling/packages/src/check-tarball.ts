import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { execa } from "execa";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import * as z from "zod";

import { type PublishedPackage, ROOT } from "./published-packages.ts";
import { filesOf, type Tarball } from "./tarball.ts";

const Main = z.object({ ".": z.object({ default: z.string() }) });
/** Folders that a bundler writes. */
const BUNDLES = /^dist\/(?:bin|bundle)\//;
const ATTW = join(ROOT, "node_modules", ".bin", "attw");

/** What is wrong with a tarball as a package; empty where nothing is. */
export async function faultsOf(tarball: Tarball): Promise<string[]> {
  const { buffer, byteOffset, byteLength } = await readFile(tarball.path);
  const bytes = buffer.slice(byteOffset, byteOffset + byteLength);
  const { messages, pkg } = await publint({ strict: true, pack: { tarball: bytes } });
  const found = messages.map(
    (message) => formatMessage(message, pkg, { color: false }) ?? message.code,
  );
  // Only what can be imported has types.
  if (tarball.manifest.exports === undefined) return found;
  const words = [tarball.path, "--profile", "esm-only", "--no-color"];
  const { exitCode, stdout } = await execa(ATTW, words, { reject: false });
  return exitCode === 0 ? found : [...found, stdout];
}

/** Built files in a tarball that the sources of today would not give: of a file that was renamed, or of an earlier bundle. */
export async function staleFiles(
  tarball: Tarball,
  { folder }: PublishedPackage,
): Promise<string[]> {
  const names = (await filesOf(tarball)).map(({ name }) => name);
  const built = names.filter((name) => name.startsWith("dist/") && name.endsWith(".js"));
  const bundled = await bundleOf(tarball, folder);
  return built.filter((name) =>
    BUNDLES.test(name) ? !bundled.has(name) : !existsSync(sourceOf(folder, name)),
  );
}

function sourceOf(folder: string, name: string): string {
  return join(folder, name.replace(/^dist\//, "src/").replace(/\.js$/, ".ts"));
}

/** The files of a bundle: its entries in the manifest, bins or what is imported, and what they import. */
async function bundleOf({ manifest }: Tarball, folder: string): Promise<Set<string>> {
  const bins =
    typeof manifest.bin === "string" ? [manifest.bin] : Object.values(manifest.bin ?? {});
  const imported = Main.safeParse(manifest.exports).data?.["."].default;
  const entries = [...bins, ...(imported === undefined ? [] : [imported])].map((name) =>
    join(name),
  );
  const found = new Set<string>();
  const visit = async (name: string): Promise<void> => {
    if (found.has(name)) return;
    found.add(name);
    const text = await readFile(join(folder, name), "utf8");
    const imports = [...text.matchAll(/["'`](\.\/[\w.-]+\.js)["'`]/g)].map(([, path = ""]) =>
      join(dirname(name), path),
    );
    await Promise.all(imports.map(visit));
  };
  await Promise.all(entries.filter((name) => BUNDLES.test(name)).map(visit));
  return found;
}
