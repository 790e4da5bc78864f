import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { AgentStore } from "@agentos/client";
import { AGENT_MANIFEST, AGENT_PROGRAMS } from "@agentos/protocol";

/** Puts a program where the real Claude Code would be. */
export async function installStandIn(source: string): Promise<void> {
  const { version } = AGENT_PROGRAMS["claude-code"];
  const store = new AgentStore();
  const folder = join(store.directory, "claude-code", version);
  const program = "bin/claude.mjs";
  await mkdir(dirname(join(folder, program)), { recursive: true });
  await writeFile(join(folder, program), source);
  await chmod(join(folder, program), 0o755);
  const about = { agent: "claude-code", package: "stand-in", version, integrity: "none" };
  const manifest = { ...about, installedAt: new Date().toISOString(), program, paths: [] };
  await writeFile(join(folder, AGENT_MANIFEST), JSON.stringify(manifest));
}
