import { globSync } from "node:fs";

import { faultsOf, staleFiles } from "./check-tarball.ts";
import { packAll } from "./pack.ts";
import { publishedPackages, ROOT } from "./published-packages.ts";
import { filesOf, type Tarball } from "./tarball.ts";

/** What a release would do. */
export interface ReleasePlan {
  /** A line for each package that is ready. */
  readonly ready: readonly string[];
  /** Why there can be no release; empty where there can. */
  readonly stops: readonly string[];
  /** Changesets that no version has taken up yet. */
  readonly waiting: number;
}

/** Packs everything into `destination` and looks at each tarball. Changes nothing else. */
export async function planRelease(destination: string): Promise<ReleasePlan> {
  const { tarballs, unpacked } = await packAll(destination);
  const looked = await Promise.all(tarballs.map(lookAt));
  return {
    ready: looked.flatMap(({ line }) => line).toSorted(),
    stops: [
      ...unpacked.map(({ published, reason }) => `${published.manifest.name}: ${reason}`),
      ...looked.flatMap(({ stops }) => stops),
      ...differingVersions(),
    ].toSorted(),
    waiting: globSync(".changeset/*.md", { cwd: ROOT }).length,
  };
}

async function lookAt(tarball: Tarball): Promise<{ line: string[]; stops: string[] }> {
  const { name, version } = tarball.manifest;
  const published = publishedPackages().find(({ manifest }) => manifest.name === name);
  const faults = await faultsOf(tarball);
  const stale = published === undefined ? [] : await staleFiles(tarball, published);
  const stops = [
    ...faults.map((fault) => `${name}: ${fault}`),
    ...stale.map((file) => `${name}: ${file} has no source: it is of an earlier build`),
  ];
  if (stops.length > 0) return { line: [], stops };
  const files = await filesOf(tarball);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return {
    line: [`${name} ${version}: ${files.length} files, ${(bytes / 1000).toFixed(0)} kB`],
    stops,
  };
}

/** One number for all: who has two of them of the same version knows that they fit. */
function differingVersions(): string[] {
  const versions = new Set(publishedPackages().map(({ manifest }) => manifest.version));
  return versions.size === 1
    ? []
    : [`expected one version for all, got ${[...versions].join(", ")}`];
}

/** A plan, for people. */
export function describePlan({ ready, stops, waiting }: ReleasePlan): string {
  return [
    ...ready.map((line) => `would publish ${line}`),
    ...stops.map((line) => `stops: ${line}`),
    waiting === 0
      ? "no changeset waits"
      : `${waiting} changesets wait: a release needs npm exec changeset version first`,
  ].join("\n");
}
