import { rm } from "node:fs/promises";
import { delimiter, join } from "node:path";

import { execa } from "execa";

import { publishedPackages, ROOT } from "./published-packages.ts";

const BUILD_VMD = join(ROOT, "packages", "vm", "scripts", "build-vmd.mjs");

/** Builds everything from nothing, so that no file of an earlier build is published, and vmd for every processor that there is a compiler for. Rejects where a build fails. */
export async function cleanBuild(): Promise<void> {
  await Promise.all(
    publishedPackages().flatMap(({ folder }) =>
      ["dist", ".tsbuildinfo"].map((name) =>
        rm(join(folder, name), { recursive: true, force: true }),
      ),
    ),
  );
  const env = {
    AGENTOS_REQUIRE_VMD: "1",
    TURBO_TELEMETRY_DISABLED: "1",
    PATH: [join(ROOT, "node_modules", ".bin"), process.env["PATH"]].join(delimiter),
  };
  await execa("turbo", ["run", "build", "--force"], { cwd: ROOT, env, stdio: "inherit" });
  const other = process.arch === "x64" ? "arm64" : "x64";
  // Without a compiler for it the package refuses to be packed, and says what to do.
  await execa(process.execPath, [BUILD_VMD, other], { reject: false, stdio: "inherit" });
}
