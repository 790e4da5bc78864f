import { expect, test } from "vitest";

import { exportedNames, readDeclaration } from "../src/declarations.ts";
import { GENERATED_SECTIONS, squeezed, withSection } from "../src/generated-sections.ts";
import { readPage, ROOT } from "../src/pages.ts";

const sections = Object.entries(GENERATED_SECTIONS);

test.for(sections)(
  "[docs.generated] %s says what is built, as npm run write-docs writes it",
  async ([page, { name, render }]) => {
    const text = readPage(page);
    expect(squeezed(text)).toBe(squeezed(withSection(text, name, await render())));
  },
);

test("a declaration has its members, with what is said of each", () => {
  const index = `${ROOT}packages/client/dist/index.d.ts`;
  const found = exportedNames(index).find(({ name }) => name === "AgentOs");
  expect(found).toBeDefined();
  if (found === undefined) return;
  const { kind, members } = readDeclaration(found);
  expect(kind).toBe("class");
  expect(members).toContainEqual({
    signature: "get id(): string",
    summary: "The VM's id.",
  });
  expect(members.map(({ signature }) => signature).join("\n")).not.toMatch(/private|Symbol/);
});

test("a page without its markers is refused", () => {
  expect(() => withSection("# A page", "help", "")).toThrow("the markers of help");
});
