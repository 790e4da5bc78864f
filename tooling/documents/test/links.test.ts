import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

import { expect, test } from "vitest";

import { PAGES, readPage, ROOT } from "../src/pages.ts";

test("[docs.links] every link between the pages leads to a file, and to a heading of it", () => {
  const broken = PAGES.flatMap((page) =>
    linksOf(page)
      .filter((link) => !leadsSomewhere(page, link))
      .map((link) => `${page}: ${link}`),
  );
  expect(broken).toEqual([]);
});

test("[docs.index] docs/README.md links to every page of docs, once", () => {
  const linked = linksOf("docs/README.md").filter((link) => /^[\w-]+\.md$/.test(link));
  const pages = PAGES.filter((page) => /^docs\/[^/]+$/.test(page) && page !== "docs/README.md");
  expect(linked.toSorted()).toEqual(pages.map((page) => page.slice("docs/".length)));
});

function linksOf(page: string): string[] {
  const text = readPage(page).replaceAll(/```[^]*?```/g, "");
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = ""]) => link)
    .filter((link) => !/^[a-z]+:/.test(link));
}

function leadsSomewhere(page: string, link: string): boolean {
  const [file = "", anchor] = link.split("#");
  const target = file === "" ? page : join(dirname(page), file);
  if (!existsSync(join(ROOT, target))) return false;
  return anchor === undefined || !target.endsWith(".md") || anchorsOf(target).has(anchor);
}

/** The anchors of a page's headings, as forges make them. */
function anchorsOf(page: string): Set<string> {
  const headings = readPage(page).matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, title = ""]) =>
      title
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, "")
        .replaceAll(" ", "-"),
    ),
  );
}
