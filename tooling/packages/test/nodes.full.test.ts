import { afterAll, beforeAll, expect, test } from "vitest";

import type { EmptyFolder } from "../src/empty-folder.ts";
import { fetchNode, OLD_NODE, SUPPORTED_NODES } from "../src/nodes.ts";
import { PackedRegistry } from "../src/packed-registry.ts";
import { builtExports, compileConsumer, useCommand, useProgram } from "../src/use-installed.ts";

let packed: PackedRegistry;
let folder: EmptyFolder;
/** What the compiler has against its programs. */
let faults: string;

beforeAll(async () => {
  packed = await PackedRegistry.make();
  folder = await packed.install(
    "@agentos/cli",
    "@agentos/client",
    "@agentos/sidecar",
    "@types/node",
  );
  faults = await compileConsumer(folder);
});

afterAll(async () => {
  await folder?.[Symbol.asyncDispose]();
  await packed?.[Symbol.asyncDispose]();
});

test.for(SUPPORTED_NODES)("installed packages work on Node %s", async (version) => {
  const node = await fetchNode(version);
  if (node === undefined) {
    console.log(`NOT RUN: the registry has no Node ${version} for this machine`);
    return;
  }
  expect(faults).toBe("");
  expect((await folder.node(node, "--version")).stdout).toBe(`v${version}`);
  const everything = await folder.node(node, "everything.js");
  expect(everything.stderr.replaceAll(/^.*ExperimentalWarning.*\n.*$/gm, "")).toBe("");
  expect(JSON.parse(everything.stdout)).toEqual(await builtExports(folder));
  const hello = await useProgram(folder, node);
  expect(hello).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^Hello, world/) });
  const { version: printed, run } = await useCommand(folder, node);
  expect(printed).toMatchObject({
    exitCode: 0,
    stdout: packed.tarball("@agentos/cli").manifest.version,
  });
  expect(run).toEqual({ exitCode: 0, stdout: "hi", stderr: "" });
});

test(`a Node that is too old, ${OLD_NODE}, is told so in one line`, async () => {
  const node = await fetchNode(OLD_NODE);
  if (node === undefined) {
    console.log(`NOT RUN: the registry has no Node ${OLD_NODE} for this machine`);
    return;
  }
  await folder.write(
    "old.mjs",
    'await import("@agentos/client").catch((error) => console.log(error.code, error.message));\n',
  );
  expect((await folder.node(node, "old.mjs")).stdout).toBe(
    `UNSUPPORTED_NODE @agentos/client needs Node 22.18 or newer, this is ${OLD_NODE}`,
  );
  const bin = "node_modules/@agentos/sidecar/dist/bin/agentos-sidecar.js";
  expect((await folder.node(node, bin)).stderr).toBe(
    `agentos-sidecar needs Node 22.18 or newer, this is ${OLD_NODE}`,
  );
  const { version } = await useCommand(folder, node);
  expect(version.stderr.split("\n")[0]).toBe(
    `agentos: expected Node 22.18 or newer, this is ${OLD_NODE}`,
  );
});
