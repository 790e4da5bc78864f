import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import * as z from "zod";

/** The root of the clone. */
export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

const Names = z.record(z.string(), z.string());

/** What of a package's manifest matters here. */
export const Manifest = z.looseObject({
  name: z.string(),
  version: z.string(),
  private: z.boolean().optional(),
  bin: z.union([z.string(), Names]).optional(),
  exports: z.unknown().optional(),
  dependencies: Names.optional(),
  optionalDependencies: Names.optional(),
  peerDependencies: Names.optional(),
  peerDependenciesMeta: z.record(z.string(), z.object({ optional: z.boolean() })).optional(),
  publishConfig: z
    .looseObject({ os: z.unknown().optional(), cpu: z.unknown().optional() })
    .optional(),
});
export type Manifest = z.infer<typeof Manifest>;

/** A package of this workspace that is published. */
export interface PublishedPackage {
  readonly folder: string;
  readonly manifest: Manifest;
}

export function readManifest(folder: string): Manifest {
  return Manifest.parse(JSON.parse(readFileSync(join(folder, "package.json"), "utf8")));
}

/** Every package of the workspace that is not private, by name. */
export function publishedPackages(): PublishedPackage[] {
  return globSync("{packages,apps}/*/package.json", { cwd: ROOT })
    .toSorted()
    .map((path) => {
      const folder = join(ROOT, dirname(path));
      return { folder, manifest: readManifest(folder) };
    })
    .filter(({ manifest }) => manifest.private !== true);
}
