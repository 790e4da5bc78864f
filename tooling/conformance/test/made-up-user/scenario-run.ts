import { readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";

import { execa } from "execa";

import type { Installation } from "./installation.ts";

/** Alone they take two minutes; other work of the machine may make that many. */
const DEADLINE_MS = 600_000;

/** How one test of the scenarios ended. */
export interface ScenarioResult {
  /** From the root of the installation. */
  readonly file: string;
  readonly title: string;
  readonly passed: boolean;
  /** What went wrong; empty for a test that passed. */
  readonly failure: string;
}

interface JsonReport {
  testResults: ReadonlyArray<{
    name: string;
    message: string;
    assertionResults: ReadonlyArray<{
      title: string;
      status: string;
      failureMessages: readonly string[];
    }>;
  }>;
}

/** Runs the installation's scenarios as `user`, with an empty environment. A file that can't be loaded is one failure. */
export async function runScenarios(
  installation: Installation,
  user: number,
): Promise<ScenarioResult[]> {
  const { directory, node } = installation;
  const home = await installation.home(user);
  const report = join(home, "report.json");
  const config = join(directory, "vitest.config.mjs");
  await writeFile(config, configuration(directory, home, report), { mode: 0o644 });
  const vitest = join(directory, "node_modules/vitest/vitest.mjs");
  const { all } = await execa(
    node,
    [vitest, "run", "--config", config, "--configLoader", "native"],
    {
      cwd: directory,
      uid: user,
      gid: user,
      env: { PATH: `${join(directory, "bin")}:/usr/local/bin:/usr/bin:/bin`, HOME: home },
      extendEnv: false,
      all: true,
      reject: false,
      timeout: DEADLINE_MS,
    },
  );
  const text = await readFile(report, "utf8").catch(() => {
    throw new Error(`the scenarios did not run to their end:\n${all}`);
  });
  const { testResults }: JsonReport = JSON.parse(text);
  return testResults.flatMap(({ name, message, assertionResults }) => {
    const file = relative(directory, name);
    if (assertionResults.length === 0)
      return [{ file, title: "", passed: false, failure: message }];
    return assertionResults.map(({ title, status, failureMessages }) => ({
      file,
      title,
      passed: status === "passed",
      failure: failureMessages.join("\n") || (status === "passed" ? "" : status),
    }));
  });
}

function configuration(root: string, home: string, outputFile: string): string {
  const test = {
    root,
    include: ["tooling/conformance/test/scenarios/**/*.e2e.test.ts"],
    reporters: ["json"],
    outputFile,
    fileParallelism: false,
    // One process for all: most of a file's time is what it loads.
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  };
  // The installation is not this user's to write.
  return `export default ${JSON.stringify({ cacheDir: join(home, "cache"), test })};\n`;
}
