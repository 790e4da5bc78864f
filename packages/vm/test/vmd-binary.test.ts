import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { LINK_VERSION } from "../src/link/link-kinds.ts";
import { vmdFrom } from "../src/linux/vmd-binary.ts";

/** None of ours: pnpm lets every program that it starts find those. */
const NAME = "vmd-linux-z80";
let folder: string;
let manifest: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "vmd-binary-"));
  const own = join(folder, "node_modules", "@agentos", "vm");
  await mkdir(own, { recursive: true });
  manifest = join(own, "package.json");
  await writeFile(manifest, JSON.stringify({ name: "@agentos/vm", version: "0.2.0" }));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Installs the package of the binary beside that of the driver. */
async function install(provenance: string, version = "0.2.0"): Promise<string> {
  const packageFolder = join(folder, "node_modules", "@agentos", NAME);
  await mkdir(packageFolder);
  const named = JSON.stringify({ name: `@agentos/${NAME}`, version });
  await writeFile(join(packageFolder, "package.json"), named);
  await writeFile(join(packageFolder, "vmd.json"), provenance);
  await writeFile(join(packageFolder, "vmd"), "");
  await chmod(join(packageFolder, "vmd"), 0o755);
  return join(packageFolder, "vmd");
}

function said(link: number, version = "0.2.0"): string {
  return JSON.stringify({ name: "vmd", version, link });
}

test("[vmd.package] an installed driver takes vmd from the package for this processor", async () => {
  const path = await install(said(LINK_VERSION));
  expect(await vmdFrom(manifest, NAME)).toBe(path);
});

test("[vmd.missing] without that package, the line to type is in the error", async () => {
  await expect(vmdFrom(manifest, NAME)).rejects.toMatchObject({
    code: "DRIVER_UNAVAILABLE",
    details: {
      reason: "@agentos/vmd-linux-z80 is not installed",
      remedy: "npm install @agentos/vmd-linux-z80@0.2.0",
    },
  });
});

test("[vmd.version] one of another link version is refused by its version", async () => {
  await install(said(LINK_VERSION + 1, "0.9.0"), "0.9.0");
  await expect(vmdFrom(manifest, NAME)).rejects.toMatchObject({
    code: "DRIVER_UNAVAILABLE",
    details: {
      reason: `vmd-linux-z80 0.9.0 speaks version ${LINK_VERSION + 1} of the link, expected ${LINK_VERSION}`,
      remedy: "npm install @agentos/vmd-linux-z80@0.2.0",
    },
  });
});

test("another version with the same link is taken", async () => {
  const path = await install(said(LINK_VERSION, "0.1.7"), "0.1.7");
  expect(await vmdFrom(manifest, NAME)).toBe(path);
});

test.each(["", "{}", "[", '{"link":"1","version":"0.2.0"}'])(
  "where the word beside it is no good (%o), its hello decides",
  async (provenance) => {
    const path = await install(provenance);
    expect(await vmdFrom(manifest, NAME)).toBe(path);
  },
);

test("one that may not be executed is refused", async () => {
  await chmod(await install(said(LINK_VERSION)), 0o644);
  await expect(vmdFrom(manifest, NAME)).rejects.toMatchObject({
    code: "DRIVER_UNAVAILABLE",
    details: { reason: "vmd-linux-z80 is missing or can't be executed" },
  });
});

test("a clone uses what its build made, and says to build where that is missing", async () => {
  await install(said(LINK_VERSION));
  const clone = join(folder, "node_modules", "@agentos", "vm");
  await mkdir(join(clone, "native"));
  await expect(vmdFrom(manifest, NAME)).rejects.toMatchObject({
    details: { remedy: "install a C compiler and run npm run build" },
  });
  await mkdir(join(clone, "dist"));
  await writeFile(join(clone, "dist", NAME), "");
  await chmod(join(clone, "dist", NAME), 0o755);
  expect(await vmdFrom(manifest, NAME)).toBe(join(clone, "dist", NAME));
});
