import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

import { GENERATED_DOCS, withGenerated } from "../scripts/generated-docs.ts";

/** The formatter's own spacing of tables says nothing. */
function squeezed(text: string): string {
  return text
    .replaceAll(/ {2,}/g, " ")
    .replaceAll(/-{3,}/g, "---")
    .replaceAll(/\n{2,}/g, "\n");
}

test.each(Object.entries(GENERATED_DOCS))(
  "docs/%s is as `pnpm --filter @agentos/protocol write-docs` writes it",
  (name, sections) => {
    const page = readFileSync(new URL(`../../../docs/${name}`, import.meta.url), "utf8");
    expect(squeezed(page)).toBe(squeezed(withGenerated(page, sections)));
  },
);

test("a page without its markers is refused", () => {
  expect(() => withGenerated("# A page", { part: () => "" })).toThrow("the markers of part");
});
