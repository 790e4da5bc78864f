import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Example, readExamples } from "./example.ts";

/** The root of the clone. */
export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** Every page for people, relative to the root. */
export const PAGES: readonly string[] = globSync(
  ["*.md", "docs/**/*.md", "{packages,apps,tooling,examples}/*/README.md"],
  { cwd: ROOT },
).toSorted();

export function readPage(page: string): string {
  return readFileSync(join(ROOT, page), "utf8");
}

export function examplesOf(page: string): Example[] {
  return readExamples(page, readPage(page));
}
