import type { SessionSpec } from "@agentos/protocol";

import { DEFAULT_CWD, type SessionParts } from "./session-parts.ts";

/** What an agent is told of its surroundings. */
export async function announcements(spec: SessionSpec, _parts: SessionParts): Promise<string[]> {
  const cwd = spec.cwd ?? DEFAULT_CWD;
  const workspaces = spec.workspaces ?? [cwd];
  return workspaces.length === 0
    ? [`You work in ${cwd}.`]
    : [`You work in ${cwd}. Files may be changed below: ${workspaces.join(", ")}.`];
}
