import { rows } from "../requirement.ts";

/** What is published, and how it behaves where it is installed. */
export const packages = rows("packages", {
  "vmd.package": "an installed driver takes vmd from the package for this processor",
  "vmd.missing": "without that package the error has the line to type",
  "vmd.version": "a vmd of another link version is refused by its version",
}).concat(
  rows(
    "packages",
    {
      "vmd.refuses": "a package of vmd without its binary refuses to be packed",
      "vmd.cross": "building vmd for another processor without a compiler for it says which",
      "vmd.reproducible": "two builds of vmd have the same bytes",
      "vmd.provenance": "a vmd of other sources than its provenance says is not packed",
      "vmd.hello": "a vmd of another link version is refused by its own hello",
    },
    "linux",
  ),
);
