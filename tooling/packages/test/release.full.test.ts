import { join } from "node:path";

import { execa } from "execa";
import { expect, test } from "vitest";

import { publishedPackages, ROOT } from "../src/published-packages.ts";

test("[pack.release] a release tried dry packs and checks everything, and prints what would be published and what stops it", async () => {
  const script = join(ROOT, "tooling", "packages", "src", "release.ts");
  const { exitCode, stdout } = await execa("node", [script, "--dry-run", "--built"], {
    reject: false,
  });
  const lines = stdout.split("\n");
  const stops = lines.filter((line) => line.startsWith("stops: "));
  // What an earlier build left in dist stops a release, but not this test of it.
  const real = stops.filter((line) => !line.endsWith("it is of an earlier build"));
  const stopped = new Set(stops.map((line) => line.split(": ")[1]));
  for (const { manifest } of publishedPackages().filter(
    ({ manifest: { name } }) => !stopped.has(name),
  )) {
    const start = `would publish ${manifest.name} ${manifest.version}: `;
    expect(lines).toContainEqual(
      expect.stringMatching(new RegExp(`^${start}\\d+ files, \\d+ kB$`)),
    );
  }
  expect(
    real.filter((line) => !/^stops: @agentos\/vmd-[\w-]+: there is no vmd for /.test(line)),
  ).toEqual([]);
  expect(exitCode).toBe(stops.length === 0 ? 0 : 1);
  expect(lines.at(-1)).toMatch(/^(no changeset waits|\d+ changesets wait: )/);
});
