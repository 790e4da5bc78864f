import { globSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

import { execa } from "execa";

import type { Example } from "./example.ts";
import { examplesOf, PAGES, ROOT } from "./pages.ts";

const FIXTURE = join(import.meta.dirname, "../fixture");

/** Every TypeScript example of every page, compiled as a reader would: against the built packages. */
export class CompiledExamples implements AsyncDisposable {
  /** What the compiler has against them; empty where all is well. */
  readonly faults: string;
  readonly #directory: string;

  static async make(): Promise<CompiledExamples> {
    const directory = await mkdtemp(join(tmpdir(), "agentos-doc-"));
    const modules = join(directory, "node_modules");
    await mkdir(join(modules, "@agentos"), { recursive: true });
    await Promise.all([
      symlink(join(ROOT, "node_modules", "@types"), join(modules, "@types")),
      // Whoever defines a tool has it.
      symlink(join(ROOT, "packages", "client", "node_modules", "zod"), join(modules, "zod")),
      ...workspaceFolders().map((folder) =>
        symlink(folder, join(modules, "@agentos", basename(folder))),
      ),
      writeFile(join(directory, "package.json"), '{"type":"module"}'),
      writeFile(join(directory, "tsconfig.json"), JSON.stringify(CONFIGURATION)),
      ...PAGES.map(async (page) => writeSources(directory, page)),
    ]);
    const tsc = join(ROOT, "node_modules", ".bin", "tsc");
    const { all, exitCode } = await execa(tsc, ["-p", "."], {
      cwd: directory,
      reject: false,
      all: true,
    });
    return new CompiledExamples(directory, exitCode === 0 ? all : all || `exit code ${exitCode}`);
  }

  private constructor(directory: string, faults: string) {
    this.#directory = directory;
    this.faults = faults;
  }

  /** The page's folder: what its examples find there is in `fixture/`. */
  folderOf(page: string): string {
    return join(this.#directory, folderName(page));
  }

  /** The compiled program of a TypeScript example. */
  programOf(page: string, example: Example): string {
    return join(this.folderOf(page), `line-${example.line}.js`);
  }

  /** A short path for the sidecar that the page's examples share. */
  sidecarFolderOf(page: string): string {
    return join(this.#directory, String(PAGES.indexOf(page)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** Every package of the workspace that can be imported; each has the name of its folder. */
function workspaceFolders(): string[] {
  const found = globSync("{packages,tooling}/*/package.json", { cwd: ROOT });
  return found.map((path) => join(ROOT, dirname(path)));
}

async function writeSources(directory: string, page: string): Promise<void> {
  const examples = examplesOf(page);
  if (examples.length === 0) return;
  const folder = join(directory, folderName(page));
  await cp(FIXTURE, folder, { recursive: true });
  await Promise.all(
    examples
      .filter(({ language }) => language === "ts")
      .map((example) => writeFile(join(folder, `line-${example.line}.ts`), programSource(example))),
  );
}

/** An example may use `AgentOs` and `os` without saying where they come from. */
function programSource({ code, given }: Example): string {
  const own = `${given}\n${code}`;
  const imported = /import \{[^}]*\bAgentOs\b/.test(own)
    ? ""
    : 'import { AgentOs } from "@agentos/client";\n';
  const leased =
    /\b(?:os\b[^=\n]*=|AgentOs\.(?:create|attach))/.test(own) || !/\bos\b/.test(own)
      ? ""
      : "await using os = await AgentOs.create();\n";
  return `${imported}${leased}${own}\nexport {};\n`;
}

function folderName(page: string): string {
  return page.replaceAll(/[^\w.-]/g, "-").replace(/\.md$/, "");
}

const CONFIGURATION = {
  compilerOptions: {
    target: "es2022",
    lib: ["es2024", "esnext.disposable", "dom", "dom.asynciterable"],
    module: "nodenext",
    types: ["node"],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
  },
  include: ["*/line-*.ts"],
};
