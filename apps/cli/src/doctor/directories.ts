import { mkdtemp, rmdir } from "node:fs/promises";
import { join } from "node:path";

import {
  isAgentOsError,
  makeWithParents,
  prepareRuntimeDirectory,
  runtimeDirectory,
  stateDirectory,
} from "@agentos/client";

/** A directory that sidecars keep files in, and whether they can. */
export interface DirectoryFinding {
  readonly path: string;
  readonly usable: boolean;
  /** Why not. */
  readonly reason?: string;
  /** What to do about it. */
  readonly remedy?: string;
}

export type DirectoryFindings = Readonly<Record<"runtime" | "state", DirectoryFinding>>;

type Environment = Readonly<Record<string, string | undefined>>;
type Problem = Pick<Required<DirectoryFinding>, "reason" | "remedy">;

/** Where sidecars started from here keep their files, and whether that works. Makes them where they are missing, as the first sidecar would. */
export async function findDirectories(env: Environment): Promise<DirectoryFindings> {
  const [runtime, state] = await Promise.all([
    examine(runtimeDirectory(undefined, env), "AGENTOS_RUNTIME_DIR", runtimeProblem),
    examine(stateDirectory(undefined, env), "AGENTOS_STATE_DIR", async () => undefined),
  ]);
  return { runtime, state };
}

async function examine(
  path: string,
  variable: string,
  further: (path: string) => Promise<Problem | undefined>,
): Promise<DirectoryFinding> {
  const elsewhere = `set ${variable} to a directory that you can write to`;
  const reason = await writeProblem(path);
  const problem = reason === undefined ? await further(path) : { reason, remedy: elsewhere };
  return { path, usable: problem === undefined, ...problem };
}

/** Why nothing can be made in the directory, found by trying. */
async function writeProblem(path: string): Promise<string | undefined> {
  try {
    await makeWithParents(path);
    await rmdir(await mkdtemp(join(path, "doctor-")));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What a client refuses before it starts a sidecar. */
async function runtimeProblem(path: string): Promise<Problem | undefined> {
  try {
    await prepareRuntimeDirectory(path);
    return undefined;
  } catch (error) {
    if (!isAgentOsError(error, "INVALID_ARGUMENT")) throw error;
    const { expected, actual } = error.details;
    return { reason: `expected ${expected}, got ${actual}`, remedy: remedyFor(path, expected) };
  }
}

function remedyFor(path: string, expected: string): string {
  if (expected.startsWith("mode")) return `chmod 700 ${path}`;
  if (expected.startsWith("a path")) return "set AGENTOS_RUNTIME_DIR to a shorter one";
  return "set AGENTOS_RUNTIME_DIR to a directory of your own";
}
