import { rows } from "../requirement.ts";

/** What is published, and how it behaves where it is installed. */
export const packages = rows("packages", {
  "pack.newer-works": "a client of another version that knows the sidecar's protocol works",
  "pack.newer-refused": "one that doesn't is refused by an error that names both versions",
  "pack.optional-peer":
    "a driver whose optional peer is missing says the line to type, and after it works",
  "pack.lint": "every tarball is well-formed as a package, and has nothing that was not built",
  "pack.release": "a release tried dry prints what would be published, and what stops it",
  "vmd.package": "an installed driver takes vmd from the package for this processor",
  "vmd.missing": "without that package the error has the line to type",
  "vmd.version": "a vmd of another link version is refused by its version",
}).concat(
  rows(
    "packages",
    {
      "pack.all": "every published package packs",
      "pack.contents":
        "a tarball has what is built, its licence and README, and nothing of the workspace",
      "pack.types":
        "every export of every package can be imported where it is installed, with types",
      "pack.program": "client and sidecar, installed in an empty folder, lease a VM",
      "pack.command": "the command, installed in an empty folder, runs a program in a VM",
      "pack.size": "client, sidecar and command keep to a bound of bytes and of packages",
      "pack.old-node": "below Node 22.18 client, sidecar and command say so in one line",
      "pack.peer": "a client without a sidecar says the line to type",
      "vmd.refuses": "a package of vmd without its binary refuses to be packed",
      "vmd.cross": "building vmd for another processor without a compiler for it says which",
      "vmd.reproducible": "two builds of vmd have the same bytes",
      "vmd.provenance": "a vmd of other sources than its provenance says is not packed",
      "vmd.hello": "a vmd of another link version is refused by its own hello",
    },
    "linux",
  ),
);
