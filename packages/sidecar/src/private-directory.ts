import { lstat, mkdir } from "node:fs/promises";
import { dirname } from "node:path";

import { AgentOsError, isAgentOsError } from "@agentos/protocol";

/** Makes a directory that only this user can enter, with its parents, or checks that it is one. Rejects with `SIDECAR_START_FAILED`. */
export async function makePrivateDirectory(path: string, what: string): Promise<void> {
  try {
    await makeWithParents(path);
    const facts = await lstat(path);
    if (!facts.isDirectory()) throw unusable(path, what, "it is not a directory");
    if (facts.uid !== process.getuid?.())
      throw unusable(path, what, `it belongs to uid ${facts.uid}`);
    if ((facts.mode & 0o077) !== 0) {
      const mode = (facts.mode & 0o777).toString(8).padStart(4, "0");
      throw unusable(path, what, `expected mode 0700, it has ${mode}`);
    }
  } catch (error) {
    if (isAgentOsError(error)) throw error;
    throw unusable(path, what, error instanceof Error ? error.message : String(error));
  }
}

/** Not `recursive`: where a parent can't be made, as in /proc, Node's own tries for ever. */
async function makeWithParents(path: string): Promise<void> {
  try {
    await make(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT" || dirname(path) === path) throw error;
    await makeWithParents(dirname(path));
    await make(path);
  }
}

async function make(path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
    // There already: whether it will do is checked next.
    if (codeOf(error) !== "EEXIST") throw error;
  });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function unusable(path: string, what: string, why: string): AgentOsError {
  return new AgentOsError("SIDECAR_START_FAILED", `the ${what} ${path} is not usable: ${why}`, {
    reason: why,
    stderr: [],
  });
}
