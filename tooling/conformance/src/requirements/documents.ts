import { rows } from "../requirement.ts";

/** What the pages for people promise about themselves. */
export const documents = rows("documents", {
  "docs.links": "every link between the pages leads to a file, and to a heading of it",
  "docs.index": "docs/README.md links to every page of docs, once",
  "docs.marks": "a fenced block is an example that can be checked, or is marked otherwise",
  "docs.compile": "every TypeScript example compiles against the built packages",
  "docs.generated": "the references of client and command say what is built",
  "docs.json": "every JSON example parses",
}).concat(
  rows(
    "documents",
    { "docs.run": "every example that can be run here runs, from the top" },
    "linux",
  ),
);
