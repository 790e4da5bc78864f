import { chmod, mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";

import { execa } from "execa";

import type { CompiledExamples } from "./compile-examples.ts";
import type { Example } from "./example.ts";
import { examplesOf, ROOT } from "./pages.ts";

const EXAMPLE_MS = 60_000;
const COMMAND = join(ROOT, "apps", "cli", "dist", "main.js");

/** How an example that failed ended. */
export interface FailedExample {
  /** Page and line. */
  readonly at: string;
  readonly exitCode: number | undefined;
  readonly output: string;
}

/** Runs the examples of a page from the top, with a sidecar of their own; ends it, and resolves with what failed. */
export async function runExamples(
  compiled: CompiledExamples,
  page: string,
): Promise<FailedExample[]> {
  const env = await environment(compiled.sidecarFolderOf(page));
  const failures: FailedExample[] = [];
  try {
    for (const example of examplesOf(page)) {
      if (example.language === "json" || example.notRun !== undefined) continue;
      const { exitCode, all } = await run(compiled, page, example, env);
      if (exitCode !== 0)
        failures.push({ at: `${page}:${example.line}`, exitCode, output: all ?? "" });
    }
  } finally {
    await execa(process.execPath, [COMMAND, "down"], { env, extendEnv: false, reject: false });
  }
  return failures;
}

function run(
  compiled: CompiledExamples,
  page: string,
  example: Example,
  env: Readonly<Record<string, string>>,
) {
  const words =
    example.language === "ts"
      ? [process.execPath, compiled.programOf(page, example)]
      : ["bash", "-euo", "pipefail", "-c", `${example.given}\n${example.code}`];
  const [program = "", ...args] = words;
  return execa(program, args, {
    cwd: example.inClone ? ROOT : compiled.folderOf(page),
    env,
    extendEnv: false,
    stdin: "ignore",
    reject: false,
    all: true,
    timeout: EXAMPLE_MS,
    forceKillAfterDelay: 5_000,
  });
}

/** Of this test's environment only what a shell needs; `agentos` is the command that was built. */
async function environment(folder: string): Promise<Record<string, string>> {
  const bin = join(folder, "bin");
  await mkdir(bin, { recursive: true });
  const agentos = join(bin, "agentos");
  await writeFile(agentos, `#!/bin/sh\nexec "${process.execPath}" "${COMMAND}" "$@"\n`);
  await chmod(agentos, 0o755);
  return {
    PATH: [bin, process.env["PATH"] ?? ""].join(delimiter),
    HOME: join(folder, "home"),
    AGENTOS_RUNTIME_DIR: join(folder, "r"),
    AGENTOS_STATE_DIR: join(folder, "s"),
  };
}
