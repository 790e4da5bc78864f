import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";

import { DriverFixture } from "./linux-vm-fixture.ts";

const packageRoot = fileURLToPath(new URL("..", import.meta.url));
const { arch } = process;
const other = arch === "x64" ? "arm64" : "x64";
/** No cross compiler, whatever this machine has. */
const env = { AGENTOS_CC_X64: "no-such-cc", AGENTOS_CC_ARM64: "no-such-cc" };
let folder: string;
/** A copy of this package without its build, somewhere else. */
let copy: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "vmd-build-"));
  copy = join(folder, "vm");
  await mkdir(copy);
  await Promise.all([
    ...["native", "scripts", "package.json"].map((name) =>
      cp(join(packageRoot, name), join(copy, name), { recursive: true }),
    ),
    symlink(join(packageRoot, "node_modules"), join(copy, "node_modules")),
  ]);
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function script(name: string, word: string, cwd = copy) {
  const path = join(copy, "scripts", name);
  const { exitCode, stderr } = await execa("node", [path, word], { cwd, env, reject: false });
  return { exitCode, stderr };
}

/** The folder of the package that brings the binary, as far as packing it matters. */
async function vmdPackage(of: string): Promise<string> {
  const path = await mkdtemp(join(folder, "package-"));
  const manifest = await readFile(join(packageRoot, "package.json"), "utf8");
  const { version } = JSON.parse(manifest);
  await writeFile(
    join(path, "package.json"),
    JSON.stringify({ name: `@agentos/vmd-linux-${of}`, version }),
  );
  return path;
}

test("[vmd.refuses] a package without its binary refuses to be packed, and says what to do", async () => {
  expect(await script("pack-vmd.mjs", other, await vmdPackage(other))).toEqual({
    exitCode: 1,
    stderr: expect.stringMatching(
      /^@agentos\/vmd-linux-\w+ can't be packed: there is no vmd for linux-\w+: install \S+ with its static libc, or name another in AGENTOS_CC_\w+, then run node packages\/vm\/scripts\/build-vmd\.mjs \w+$/,
    ),
  });
});

test("[vmd.cross] building for another processor without a compiler for it fails, and says which", async () => {
  expect(await script("build-vmd.mjs", other)).toEqual({
    exitCode: 1,
    stderr: expect.stringContaining(`"no-such-cc" makes no static program for linux-${other}`),
  });
  expect(await script("build-vmd.mjs", "sparc")).toEqual({
    exitCode: 1,
    stderr: "vmd: expected one of x64, arm64, got sparc",
  });
});

test("[vmd.reproducible] another build of the same sources, elsewhere, has the same bytes", async () => {
  expect(await script("build-vmd.mjs", arch)).toMatchObject({ exitCode: 0 });
  const name = join("dist", `vmd-linux-${arch}`);
  const [one, two] = await Promise.all(
    [copy, packageRoot].map((root) => readFile(join(root, name))),
  );
  expect(one?.equals(two ?? Buffer.alloc(0))).toBe(true);
  const [first, second] = await Promise.all(
    [copy, packageRoot].map((root) => readFile(join(root, `${name}.json`), "utf8")),
  );
  expect(first).toBe(second);
  expect(JSON.parse(first ?? "")).toMatchObject({ name: "vmd", arch, link: 3 });
});

test("[vmd.provenance] a binary of other sources, or another binary, is not packed", async () => {
  const path = await vmdPackage(arch);
  expect(await script("pack-vmd.mjs", arch, path)).toEqual({ exitCode: 0, stderr: "" });
  const binary = join(copy, "dist", `vmd-linux-${arch}`);
  expect(await readFile(join(path, "vmd"))).toEqual(await readFile(binary));

  const source = join(copy, "native", "names.c");
  const text = await readFile(source, "utf8");
  await writeFile(source, `${text}\n/* changed */\n`);
  expect((await script("pack-vmd.mjs", arch, path)).stderr).toContain(
    "the binary was built from other sources",
  );
  await writeFile(source, text);
  await writeFile(binary, Buffer.concat([await readFile(binary), Buffer.from([0])]));
  expect((await script("pack-vmd.mjs", arch, path)).stderr).toContain(
    "the binary is not the one that its provenance speaks of",
  );
});

test("[vmd.hello] a vmd of another link version is refused by its own hello", async () => {
  const native = join(folder, "native-9");
  await cp(join(packageRoot, "native"), native, { recursive: true });
  const header = join(native, "vmd.h");
  const text = await readFile(header, "utf8");
  const changed = text.replace(/^#define LINK_VERSION \d+u$/m, "#define LINK_VERSION 9u");
  expect(changed).not.toBe(text);
  await writeFile(header, changed);
  const vmdPath = join(folder, "vmd-9");
  const cc = `cc -static -std=gnu11 -o ${vmdPath} ${native}/*.c`;
  await execa("sh", ["-c", cc]);
  await using fixture = await DriverFixture.start({ vmdPath });
  expect(await fixture.driver.probe()).toMatchObject({
    available: false,
    reason: "vmd speaks version 9 of the link, expected 3",
  });
  await expect(fixture.create()).rejects.toThrow("expected link version 3, got 9");
});
