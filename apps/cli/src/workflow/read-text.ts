import { readFile, stat } from "node:fs/promises";

import { AgentOsError } from "@agentos/client";

/** Of a file, or of standard input. */
export const LARGEST_BYTES = 1_000_000;

/** A file's text; `shown` is how an error calls it. Rejects with `INVALID_ARGUMENT`. */
export async function readText(path: string, shown: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > LARGEST_BYTES) throw refused(`at most ${LARGEST_BYTES} bytes`, `${size}`);
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof AgentOsError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw refused("a file that can be read", `${shown}: ${reason}`);
  }
}

/** An error about what a workflow is read from. */
export function refused(expected: string, actual: string): AgentOsError<"INVALID_ARGUMENT"> {
  const details = { argument: "FILE", expected, actual };
  return new AgentOsError("INVALID_ARGUMENT", `FILE: expected ${expected}, got ${actual}`, details);
}
