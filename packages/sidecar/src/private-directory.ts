import { lstat, mkdir } from "node:fs/promises";

import { AgentOsError, isAgentOsError } from "@agentos/protocol";

/** Makes a directory that only this user can enter, with its parents, or checks that it is one. Rejects with `SIDECAR_START_FAILED`. */
export async function makePrivateDirectory(path: string, what: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const facts = await lstat(path);
    if (!facts.isDirectory()) throw unusable(path, what, "it is not a directory");
    if (facts.uid !== process.getuid?.()) throw unusable(path, what, `it belongs to uid ${facts.uid}`);
    if ((facts.mode & 0o077) !== 0) {
      const mode = (facts.mode & 0o777).toString(8).padStart(4, "0");
      throw unusable(path, what, `expected mode 0700, it has ${mode}`);
    }
  } catch (error) {
    if (isAgentOsError(error)) throw error;
    throw unusable(path, what, error instanceof Error ? error.message : String(error));
  }
}

function unusable(path: string, what: string, why: string): AgentOsError {
  return new AgentOsError("SIDECAR_START_FAILED", `the ${what} ${path} is not usable: ${why}`, {
    reason: why,
    stderr: [],
  });
}
