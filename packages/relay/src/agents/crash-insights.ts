import type { CrashCategory, CrashRecord, RelayHealth } from "@agentos/protocol";

import { RELAY_BOUNDS } from "../relay-bounds.ts";

export interface Exit {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The VM's limit that it was killed at. */
  readonly limit?: string | undefined;
}

/** What kind of end that was. No code says that memory was short: the VM's limit does. */
function categoryOf({ exitCode, signal, limit }: Exit): CrashCategory {
  if (limit === "memoryBytes") return "oom";
  if (exitCode === 139 || signal === "SIGSEGV") return "segfault";
  if (signal !== null) return "signal";
  return exitCode === null || exitCode === 0 ? "unknown" : "error";
}

const DESCRIPTIONS: Readonly<Record<CrashCategory, string>> = {
  oom: "killed at its VM's limit of memory",
  segfault: "it touched memory that is not its own",
  signal: "ended by a signal",
  error: "ended with an error",
  unknown: "ended without saying why",
};

export function crashOf(agent: string, exit: Exit, at: number, uptimeMs: number): CrashRecord {
  const category = categoryOf(exit);
  const { exitCode, signal } = exit;
  const how = signal ?? (exitCode === null ? "no status" : `exit code ${exitCode}`);
  const description = `${DESCRIPTIONS[category]} (${how})`;
  return { agent, exitCode, signal, at, uptimeMs, category, description };
}

/** What the crashes, oldest first, say together. */
export function healthOf(crashes: readonly CrashRecord[], total: number, now: number): RelayHealth {
  const counts = new Map<CrashCategory, { count: number; agents: Set<string> }>();
  for (const { category, agent } of crashes) {
    const known = counts.get(category) ?? { count: 0, agents: new Set<string>() };
    known.count += 1;
    known.agents.add(agent);
    counts.set(category, known);
  }
  const patterns = [...counts]
    .map(([category, { count, agents }]) => ({ category, count, agents: [...agents] }))
    .toSorted((a, b) => b.count - a.count);
  const lately = crashes
    .slice(-RELAY_BOUNDS.scoredCrashes)
    .filter(({ at }) => now - at < RELAY_BOUNDS.scoredMs).length;
  return {
    crashes: total,
    recent: crashes.slice(-RELAY_BOUNDS.recentCrashes),
    patterns,
    score: Math.max(0, 100 - 10 * lately),
  };
}
