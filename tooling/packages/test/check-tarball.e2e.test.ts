import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";
import { expect, test } from "vitest";

import { faultsOf, staleFiles } from "../src/check-tarball.ts";
import { tarballOf } from "../src/tarball.ts";

test("[pack.lint] a tarball that is no good as a package is told apart, and so are files without a source", async () => {
  const folder = await mkdtemp(join(tmpdir(), "aos-lint-"));
  try {
    const root = join(folder, "broken");
    await mkdir(join(root, "dist"), { recursive: true });
    await mkdir(join(root, "src"));
    const manifest = {
      name: "broken",
      version: "1.0.0",
      type: "module",
      exports: { ".": { types: "./dist/index.d.ts", default: "./dist/missing.js" } },
    };
    await writeFile(join(root, "package.json"), JSON.stringify(manifest));
    await writeFile(join(root, "src", "index.ts"), "");
    await writeFile(join(root, "dist", "index.js"), "");
    await writeFile(join(root, "dist", "renamed.js"), "");
    await mkdir(join(folder, "as-packed"));
    await execa("cp", ["-R", root, join(folder, "as-packed", "package")]);
    const tarball = await tarballOf(join(folder, "as-packed", "package"), folder);
    expect((await faultsOf(tarball)).join("\n")).toContain("missing.js");
    expect(await staleFiles(tarball, { folder: root, manifest: tarball.manifest })).toEqual([
      "dist/renamed.js",
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
