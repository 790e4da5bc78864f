import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { AgentOsError } from "@agentos/protocol";
import * as z from "zod";

/** The line that brings the interpreter. */
const INSTALL_SHELL = "npm install just-bash@3";
const NAME = "just-bash";
const VERSION = /^3\.(?:[4-9]|\d\d+)\./;

const Manifest = z.object({
  version: z.string(),
  exports: z.object({ ".": z.object({ import: z.object({ default: z.string() }) }) }),
});

/**
 * The URL of just-bash, an optional peer: looked for beside this package, then from the working directory. Throws
 * `DRIVER_UNAVAILABLE` with the line to type.
 */
export function findShell(directory: string = process.cwd()): string {
  const here = [import.meta.resolve("@agentos/vm/package.json"), import.meta.url];
  for (const base of [...here, pathToFileURL(join(directory, "package.json")).href]) {
    const manifest = manifestFrom(base);
    if (manifest !== undefined) return entryOf(manifest);
  }
  throw virtualUnavailable(`${NAME}, its interpreter, is not installed`, INSTALL_SHELL);
}

function manifestFrom(base: string): string | undefined {
  try {
    return findPackageJSON(NAME, base);
  } catch {
    // Not there: perhaps from the next place.
    return undefined;
  }
}

function entryOf(path: string): string {
  const manifest = Manifest.safeParse(JSON.parse(readFileSync(path, "utf8")));
  const version = manifest.data?.version ?? "an unknown version";
  if (!manifest.success || !VERSION.test(version))
    throw virtualUnavailable(`expected ${NAME} 3.4 or a later 3, got ${version}`, INSTALL_SHELL);
  return new URL(manifest.data.exports["."].import.default, pathToFileURL(path)).href;
}

/** The virtual driver can't work here. */
export function virtualUnavailable(
  reason: string,
  remedy?: string,
): AgentOsError<"DRIVER_UNAVAILABLE"> {
  const hint = remedy === undefined ? "" : `; run: ${remedy}`;
  return new AgentOsError(
    "DRIVER_UNAVAILABLE",
    `the virtual driver is unavailable: ${reason}${hint}`,
    { driver: "virtual", reason, ...(remedy === undefined ? {} : { remedy }) },
  );
}
