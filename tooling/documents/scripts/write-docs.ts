// Writes the sections of docs/ that are made from what is built: run npm run build first. --check: only compares.
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { GENERATED_SECTIONS, squeezed, withSection } from "../src/generated-sections.ts";
import { readPage, ROOT } from "../src/pages.ts";

const onlyCompares = process.argv.includes("--check");

for (const [page, { name, render }] of Object.entries(GENERATED_SECTIONS)) {
  const found = readPage(page);
  // oxlint-disable-next-line no-await-in-loop -- Two pages.
  const written = withSection(found, name, await render());
  if (!onlyCompares) writeFileSync(join(ROOT, page), written);
  else if (squeezed(found) !== squeezed(written)) {
    console.error(`${page} is stale: npm run write-docs`);
    process.exitCode = 1;
  }
}
