import { existsSync, globSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { execa } from "execa";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const documents = globSync(["*.md", "docs/*.md", "examples/**/README.md"], {
  cwd: root,
  exclude: ["**/node_modules"],
});

/** Those whose examples are whole programs. */
const COMPILED = ["README.md", "docs/client.md", "docs/linux-driver.md"];

test("every TypeScript example in the documents compiles", { timeout: 120_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), "agentos-docs-"));
  try {
    const sources = COMPILED.flatMap((document) => examplesOf(document));
    expect(sources.length).toBeGreaterThan(5);
    for (const [index, source] of sources.entries()) {
      await writeFile(join(directory, `example-${index}.ts`), source);
    }
    await writeFile(join(directory, "package.json"), '{"type":"module"}');
    await writeFile(join(directory, "tsconfig.json"), JSON.stringify(configuration()));
    const tsc = join(root, "node_modules", ".bin", "tsc");
    const { stdout, exitCode } = await execa(tsc, ["-p", directory], { reject: false });
    expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 0 });
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("every link between the documents leads somewhere", () => {
  const broken = documents.flatMap((document) =>
    linksOf(document).filter((link) => !existsSync(join(root, dirname(document), link))),
  );
  expect(broken).toEqual([]);
});

/** An example may use `os` and `AgentOs` without saying where they come from. */
function examplesOf(document: string): string[] {
  const text = readFileSync(join(root, document), "utf8");
  return [...text.matchAll(/```ts\n([^]*?)```/g)].map(([, code = ""]) => {
    const imported = code.includes("import {")
      ? ""
      : 'import { AgentOs } from "@agentos/client";\n';
    const declared = /\bos =/.test(code) ? "" : "declare const os: AgentOs;\n";
    return `${imported}${declared}${code}\nexport {};\n`;
  });
}

function linksOf(document: string): string[] {
  const text = readFileSync(join(root, document), "utf8");
  return [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
    .map(([, link = ""]) => link)
    .filter((link) => !/^[a-z]+:/.test(link));
}

function configuration(): object {
  return {
    extends: join(root, "tsconfig.base.json"),
    compilerOptions: {
      noEmit: true,
      composite: false,
      typeRoots: [join(root, "node_modules", "@types")],
      paths: { "@agentos/client": [join(root, "packages", "client", "dist", "index.d.ts")] },
    },
    include: ["*.ts"],
  };
}
