import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

import { publishedPackages, readManifest, ROOT } from "./published-packages.ts";

/** What a program that is compiled against the packages has besides. */
const FOR_TYPES = ["@types/node"];
/** Optional peers of two packages that are installed side by side: npm looks them up, though it installs none. */
const LOOKED_UP = ["@xterm/headless"];

/** The folders of every package that the published ones need from others, as this clone has them installed; with those that they can use but don't need, where it is asked for. */
export function thirdPartyFolders(withOptionalPeers: boolean): string[] {
  const ours = publishedPackages();
  const names = new Set(ours.map(({ manifest }) => manifest.name));
  const found = new Set<string>();
  const visit = (folder: string): void => {
    if (found.has(folder)) return;
    found.add(folder);
    for (const name of needsOf(folder)) visit(resolved(name, folder));
  };
  for (const { folder } of ours) {
    const wanted = [...needsOf(folder), ...(withOptionalPeers ? optionalPeersOf(folder) : [])];
    for (const name of wanted.filter((each) => !names.has(each))) visit(resolved(name, folder));
  }
  for (const name of FOR_TYPES) visit(resolved(name, ROOT));
  for (const name of LOOKED_UP) visit(resolved(name, join(ROOT, "packages", "client")));
  return [...found].toSorted();
}

function needsOf(folder: string): string[] {
  const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } =
    readManifest(folder);
  const peers = Object.keys(peerDependencies ?? {}).filter(
    (name) => peerDependenciesMeta?.[name]?.optional !== true,
  );
  // Of these only what is here: the rest is for other platforms.
  const optional = Object.keys(optionalDependencies ?? {}).filter(
    (name) => find(name, folder) !== undefined,
  );
  return [...Object.keys(dependencies ?? {}), ...peers, ...optional];
}

function optionalPeersOf(folder: string): string[] {
  return Object.entries(readManifest(folder).peerDependenciesMeta ?? {})
    .filter(([, { optional }]) => optional)
    .map(([name]) => name);
}

function resolved(name: string, from: string): string {
  const found = find(name, from);
  if (found === undefined)
    throw new Error(`expected ${name} to be installed, as seen from ${from}`);
  return found;
}

function find(name: string, from: string): string | undefined {
  const path = join(from, "node_modules", name);
  if (existsSync(path)) return realpathSync(path);
  return dirname(from) === from ? undefined : find(name, dirname(from));
}
