import { readdir, readFile } from "node:fs/promises";

/** Command lines of the host's processes that have a session's mark in their environment: in whatever VM they are, or were. */
export async function processesOfSession(sessionId: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(pids.map((pid) => commandOf(pid, sessionId)));
  return found.filter((command) => command !== undefined);
}

async function commandOf(pid: string, sessionId: string): Promise<string | undefined> {
  try {
    const environment = await readFile(`/proc/${pid}/environ`, "latin1");
    if (!environment.split("\0").includes(`AGENTOS_SESSION_ID=${sessionId}`)) return undefined;
    return (await readFile(`/proc/${pid}/cmdline`, "latin1")).replaceAll("\0", " ");
  } catch {
    // It is gone, or another user's.
    return undefined;
  }
}
