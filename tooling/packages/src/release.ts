// npm run release: builds, packs, checks and publishes. --dry-run: all but the last, and prints it. --built: takes the
// build that is there.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { execa } from "execa";

import { cleanBuild } from "./clean-build.ts";
import { ROOT } from "./published-packages.ts";
import { describePlan, planRelease } from "./release-plan.ts";

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { "dry-run": { type: "boolean" }, built: { type: "boolean" } },
  });
  if (values.built !== true) await cleanBuild();
  const folder = await mkdtemp(join(tmpdir(), "aos-release-"));
  try {
    const plan = await planRelease(folder);
    console.log(describePlan(plan));
    if (plan.stops.length > 0) return 1;
    if (values["dry-run"] === true) return 0;
    if (plan.waiting > 0) return 1;
    const changeset = join(ROOT, "node_modules", ".bin", "changeset");
    await execa(changeset, ["publish"], { cwd: ROOT, stdio: "inherit" });
    return 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

process.exitCode = await main();
