import { lstat, readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** What an installation takes up. */
export interface InstalledSize {
  readonly bytes: number;
  /** By name, ours included. */
  readonly packages: readonly string[];
  /** Ours and others', largest first. */
  readonly largest: readonly { readonly name: string; readonly bytes: number }[];
}

/** Bounds of client, sidecar and command together, without optional peers. */
export const INSTALLED_BOUNDS = { bytes: 40_000_000, packages: 60 } as const;

/** Measures a node_modules folder: the bytes of its files, and the packages in it. */
export async function installedSize(modules: string): Promise<InstalledSize> {
  const folders = await packageFolders(modules);
  const sizes = await Promise.all(
    folders.map(async (folder) => ({ name: nameOf(folder), bytes: await bytesOf(folder) })),
  );
  return {
    bytes: await bytesOf(modules),
    packages: folders.map(nameOf).toSorted(),
    largest: sizes.toSorted((a, b) => b.bytes - a.bytes),
  };
}

/** In lines for people, and whether it keeps to its bounds. */
export function describeInstalledSize({ bytes, packages, largest }: InstalledSize): string {
  const ours = packages.filter((name) => name.startsWith("@agentos/")).length;
  const top = largest.slice(0, 5).map(({ name, bytes: own }) => `${name} ${megabytes(own)}`);
  return [
    `installed: ${megabytes(bytes)} of at most ${megabytes(INSTALLED_BOUNDS.bytes)}`,
    `packages: ${packages.length} of at most ${INSTALLED_BOUNDS.packages}, ${ours} of them ours`,
    `largest: ${top.join(", ")}`,
  ].join("\n");
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

async function packageFolders(modules: string): Promise<string[]> {
  const entries = await readdir(modules, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.name === "package.json" && isPackageFolder(entry.parentPath))
    .map((entry) => entry.parentPath);
}

/** Directly in a node_modules, or in a scope of one. */
function isPackageFolder(path: string): boolean {
  const parent = dirname(path);
  return (
    basename(parent) === "node_modules" ||
    (basename(parent).startsWith("@") && basename(dirname(parent)) === "node_modules")
  );
}

function nameOf(folder: string): string {
  const scope = basename(dirname(folder));
  return scope.startsWith("@") ? `${scope}/${basename(folder)}` : basename(folder);
}

async function bytesOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => (await lstat(join(entry.parentPath, entry.name))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
