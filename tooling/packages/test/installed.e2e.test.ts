import { rm } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import type { EmptyFolder } from "../src/empty-folder.ts";
import { describeInstalledSize, INSTALLED_BOUNDS, installedSize } from "../src/installed-size.ts";
import { PackedRegistry } from "../src/packed-registry.ts";
import { publishedPackages } from "../src/published-packages.ts";
import { filesOf } from "../src/tarball.ts";
import { builtExports, compileConsumer, useCommand, useProgram } from "../src/use-installed.ts";

/** Optional peers, ours and those of ws: npm asks for them by name, and does without. */
const OPTIONAL_PEERS = new Set([
  "/bufferutil",
  "/utf-8-validate",
  ...publishedPackages().flatMap(({ manifest }) =>
    Object.keys(manifest.peerDependenciesMeta ?? {}).map((name) => `/${name}`),
  ),
]);
/** npm alone takes long on a machine that does much else. */
const INSTALL_MS = 240_000;

/** What makes Node say that it is of this version. */
function disguisedAs(version: string): string {
  const source = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } });`;
  return `--import=data:text/javascript,${encodeURIComponent(source)}`;
}

let packed: PackedRegistry;
/** Where a program is written. */
let program: EmptyFolder;
/** What the compiler has against it. */
let faults: string;
/** Where only the command is wanted. */
let command: EmptyFolder;

beforeAll(async () => {
  packed = await PackedRegistry.make();
  [program, command] = await Promise.all([
    packed.install("@agentos/client", "@agentos/sidecar", "@types/node"),
    packed.install("@agentos/cli"),
  ]);
  faults = await compileConsumer(program);
}, INSTALL_MS);

afterAll(async () => {
  for (const made of [program, command, packed]) {
    // oxlint-disable-next-line no-await-in-loop -- The registry last. None is there where making it failed.
    await made?.[Symbol.asyncDispose]();
  }
});

test("[pack.all] every published package packs; only vmd for another processor may refuse", () => {
  const names = packed.tarballs.map(({ manifest }) => manifest.name);
  const refused = packed.unpacked.map(({ published }) => published.manifest.name);
  expect([...names, ...refused].toSorted()).toEqual(
    publishedPackages()
      .map(({ manifest }) => manifest.name)
      .toSorted(),
  );
  expect(refused.filter((name) => !name.startsWith("@agentos/vmd-"))).toEqual([]);
  expect(refused).not.toContain(`@agentos/vmd-${process.platform}-${process.arch}`);
});

test("[pack.contents] a tarball has what is built, its licence and README, and nothing of the workspace", async () => {
  const found = await Promise.all(
    packed.tarballs.map(async (tarball) => {
      const files = (await filesOf(tarball)).map(({ name }) => name);
      return {
        name: tarball.manifest.name,
        missing: ["LICENSE", "README.md", "package.json"].filter((file) => !files.includes(file)),
        strange: files.filter((file) => /^(src|test|native|scripts)\/|tsbuildinfo/.test(file)),
        unresolved: JSON.stringify(tarball.manifest).match(/workspace:|catalog:|@agentos\/source/g),
      };
    }),
  );
  const none = { missing: [], strange: [], unresolved: null };
  expect(found).toEqual(found.map(({ name }) => ({ name, ...none })));
});

test("[pack.types] every export can be imported where it is installed, and compiled against", async () => {
  expect(faults).toBe("");
  const { stdout, stderr } = await program.node(process.execPath, "everything.js");
  expect(stderr).toBe("");
  const built = await builtExports(program);
  expect(JSON.parse(stdout)).toEqual(built);
  expect(built["@agentos/client"]).toContain("AgentOs");
  expect(packed.registry.missed.filter((path) => !OPTIONAL_PEERS.has(path))).toEqual([]);
});

test("[pack.program] @agentos/client and @agentos/sidecar in an empty folder lease a VM and run programs", async () => {
  const { exitCode, stdout, stderr } = await useProgram(program, process.execPath);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(stdout).toMatch(/^Hello, world, from \S+ \(exit code 0\)\nexited 3 oops\n/);
});

test("[pack.command] @agentos/cli in an empty folder runs a command in a VM", async () => {
  const { version, run } = await useCommand(command, process.execPath);
  const stdout = packed.tarball("@agentos/cli").manifest.version;
  expect(version).toEqual({ exitCode: 0, stdout, stderr: "" });
  expect(run).toEqual({ exitCode: 0, stdout: "hi", stderr: "" });
});

test("[pack.size] client, sidecar and command together keep to a bound of bytes and of packages", async () => {
  const size = await installedSize(join(command.path, "node_modules"));
  console.log(describeInstalledSize(size));
  expect(size.packages).toEqual(expect.arrayContaining(["@agentos/client", "@agentos/sidecar"]));
  expect(size.bytes).toBeLessThan(INSTALLED_BOUNDS.bytes);
  expect(size.packages.length).toBeLessThanOrEqual(INSTALLED_BOUNDS.packages);
});

test("[pack.old-node] below Node 22.18 client, sidecar and command say so in one line", async () => {
  const old = disguisedAs("22.17.1");
  await command.write(
    "old.mjs",
    'await import("@agentos/client").catch((error) => console.log(error.code, error.message));\n',
  );
  expect((await command.node(process.execPath, old, "old.mjs")).stdout).toBe(
    "UNSUPPORTED_NODE @agentos/client needs Node 22.18 or newer, this is 22.17.1",
  );
  const bin = "node_modules/@agentos/sidecar/dist/bin/agentos-sidecar.js";
  expect(await command.node(process.execPath, old, bin)).toEqual({
    exitCode: 1,
    stdout: "",
    stderr: "agentos-sidecar needs Node 22.18 or newer, this is 22.17.1",
  });
  const main = "node_modules/.bin/agentos";
  const { exitCode, stderr } = await command.node(process.execPath, old, main, "--version");
  expect(exitCode).toBe(125);
  expect(stderr.split("\n")[0]).toBe("agentos: expected Node 22.18 or newer, this is 22.17.1");
});

test("[pack.peer] a client whose optional peer, the sidecar, is missing says the line to type", async () => {
  await rm(join(program.path, "node_modules", "@agentos", "sidecar"), { recursive: true });
  const { stderr } = await program.node(process.execPath, "hello.js");
  expect(stderr).toContain("code: 'SIDECAR_NOT_FOUND'");
  expect(stderr).toContain(": npm install @agentos/sidecar\n");
});
