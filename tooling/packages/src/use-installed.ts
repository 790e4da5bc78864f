import { cp } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";
import * as z from "zod";

import type { EmptyFolder, ProgramEnd } from "./empty-folder.ts";
import { publishedPackages, readManifest, ROOT } from "./published-packages.ts";

/** The form that ours have. */
const Exports = z.record(z.string(), z.unknown());

/** As somebody has it who compiles for the oldest Node that the packages support. */
const CONFIGURATION = {
  compilerOptions: {
    target: "es2022",
    lib: ["es2024", "esnext.disposable"],
    module: "nodenext",
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    // What we publish must hold without looking away.
    skipLibCheck: false,
  },
  include: ["*.ts"],
};

/** Names of what can be imported, by the specifier. */
export type ExportedNames = Readonly<Record<string, readonly string[]>>;

/** Writes the README's program, and one that imports everything, and compiles both in the folder. Resolves with what the compiler has against them. */
export async function compileConsumer(folder: EmptyFolder): Promise<string> {
  await cp(join(ROOT, "examples", "programs", "hello.ts"), join(folder.path, "hello.ts"));
  await folder.write("everything.ts", everythingSource(folder));
  await folder.write("tsconfig.json", JSON.stringify(CONFIGURATION));
  const tsc = join(ROOT, "node_modules", ".bin", "tsc");
  const { all } = await execa(tsc, ["-p", "."], { cwd: folder.path, reject: false, all: true });
  return all;
}

/** What the workspace's own build exports, of the packages that are installed in the folder. */
export async function builtExports(folder: EmptyFolder): Promise<ExportedNames> {
  const entries = specifiersOf(folder).map(async (specifier) => {
    const [scope = "", name = "", ...rest] = specifier.split("/");
    const found = publishedPackages().find(({ manifest }) => manifest.name === `${scope}/${name}`);
    if (found === undefined) throw new Error(`${specifier} is not of this workspace`);
    const target = defaultTarget(readManifest(found.folder).exports, ["."].concat(rest).join("/"));
    const names = Object.keys(await import(join(found.folder, target)));
    return [specifier, names.toSorted()] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** Runs the README's program, and ends the sidecar that it started. */
export async function useProgram(folder: EmptyFolder, node: string): Promise<ProgramEnd> {
  const hello = await folder.node(node, "hello.js");
  await folder.write(
    "end.mjs",
    'import { AgentOs } from "@agentos/client";\nawait (await AgentOs.getSharedSidecar()).shutdown();\n',
  );
  const end = await folder.node(node, "end.mjs");
  return hello.exitCode === 0 && end.exitCode !== 0 ? end : hello;
}

/** Prints the version, and runs a program in a VM. */
export async function useCommand(
  folder: EmptyFolder,
  node: string,
): Promise<{ version: ProgramEnd; run: ProgramEnd }> {
  const main = join("node_modules", ".bin", "agentos");
  const version = await folder.node(node, main, "--version");
  const run = await folder.node(node, main, "run", "--no-copy", "--", "echo", "hi");
  await folder.node(node, main, "down");
  return { version, run };
}

function everythingSource(folder: EmptyFolder): string {
  const specifiers = specifiersOf(folder);
  const imports = specifiers.map(
    (specifier, index) => `import * as m${index} from ${JSON.stringify(specifier)};`,
  );
  const names = specifiers.map(
    (specifier, index) => `  ${JSON.stringify(specifier)}: Object.keys(m${index}).sort(),`,
  );
  return `${imports.join("\n")}\nconsole.log(JSON.stringify({\n${names.join("\n")}\n}));\n`;
}

/** Every module that the installed packages of ours export; manifests and schemas are no modules. */
function specifiersOf(folder: EmptyFolder): string[] {
  const modules = join(folder.path, "node_modules");
  return publishedPackages()
    .map(({ manifest }) => manifest.name)
    .filter((name) => isInstalled(modules, name))
    .flatMap((name) =>
      Object.keys(Exports.parse(readManifest(join(modules, name)).exports ?? {}))
        .filter((path) => !path.endsWith(".json"))
        .map((path) => `${name}${path.slice(1)}`),
    );
}

function isInstalled(modules: string, name: string): boolean {
  try {
    readManifest(join(modules, name));
    return true;
  } catch {
    // Not asked for by what is installed here.
    return false;
  }
}

/** What the build is, where the source is first. */
function defaultTarget(exports: unknown, path: string): string {
  const { default: target } = z.object({ default: z.string() }).parse(Exports.parse(exports)[path]);
  return target;
}
