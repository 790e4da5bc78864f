import { access } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { AgentOsError } from "@agentos/client";

import { PACKAGE_ROOT } from "../package-root.ts";

/** In a clone, and in the published package. */
const PLACES = ["../../examples/word-count", "demo-project"] as const;

/** The one change that the demo makes: what is wrong in which file, and what is right. */
export const DEMO_FIX = {
  path: "src/count-words.js",
  wrong: String.raw`return text.split(/\s+/).length;`,
  right: String.raw`return text.match(/\S+/g)?.length ?? 0;`,
} as const;

/** The directory of the small project that the demo works on. Rejects with `NOT_FOUND`. */
export async function findDemoProject(): Promise<string> {
  for (const place of PLACES) {
    const path = fileURLToPath(new URL(place, PACKAGE_ROOT));
    if (await exists(path)) return path;
  }
  const id = "examples/word-count";
  throw new AgentOsError("NOT_FOUND", `the demo's project ${id} is not there`, {
    kind: "project",
    id,
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    // Not this place: the next one is tried.
    return false;
  }
}
