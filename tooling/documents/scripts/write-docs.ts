// Writes the sections of docs/ that are made from what is built: run npm run build first.
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { GENERATED_SECTIONS, withSection } from "../src/generated-sections.ts";
import { readPage, ROOT } from "../src/pages.ts";

for (const [page, { name, render }] of Object.entries(GENERATED_SECTIONS)) {
  // oxlint-disable-next-line no-await-in-loop -- Two pages.
  writeFileSync(join(ROOT, page), withSection(readPage(page), name, await render()));
}
