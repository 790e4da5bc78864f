import { execFileSync } from "node:child_process";

import type { AgentOs, SessionEvent } from "@agentos/client";
import { expect } from "vitest";

import { wordsInMemory } from "../vm-memory.ts";
import type { AgentCheck } from "./agent-under-test.ts";
import { CANARY, SHELL_JOB, shellJob } from "./jobs.ts";

/** In a VM: wherever a program may have put it. */
const PLACES = "/home /tmp /workspace /run /etc /proc/[0-9]*/environ /proc/[0-9]*/cmdline";

/** The key is nowhere but in the sidecar: not in the VM, its processes' memory, its snapshot, the transcript or the state on disk. */
export const NO_KEY: AgentCheck = {
  id: "canary",
  title: "no key in the VM",
  async run({ agent, os, model, open, hostDirectories }) {
    const server = await model(shellJob(agent, "env; true"));
    await using session = await open(server);
    const events: SessionEvent[] = [];
    for await (const event of session.prompt(SHELL_JOB)) events.push(event);
    expect(JSON.stringify(events)).not.toContain(CANARY);
    expect(await filesWith(os, CANARY)).toBe("");
    // What the agent has in its place is found: so the search would have found the key.
    const token = /"(?:[A-Z_]*(?:KEY|TOKEN))=([^"]{20,})"/.exec(await environments(os))?.[1] ?? "";
    expect(token).not.toBe("");
    expect(await wordsInMemory(os, [CANARY, token])).toEqual([token]);
    const { snapshotId } = await os.snapshot();
    expect(snapshotId).not.toBe("");
    for (const directory of hostDirectories) expect(onDisk(directory)).toBe("");
    const credentials = server.journal.entries.map((entry) => JSON.stringify(entry.credentials));
    expect(credentials.some((each) => each.includes(CANARY))).toBe(true);
  },
};

/** The words come on stdin: on a command line the search would find itself. */
async function filesWith(os: AgentOs, word: string): Promise<string> {
  return (await os.exec(`grep -rlas -f - ${PLACES}; true`, { stdin: `${word}\n` })).stdout;
}

async function environments(os: AgentOs): Promise<string> {
  const { stdout } = await os.exec("cat /proc/[0-9]*/environ 2>/dev/null; true");
  return JSON.stringify(stdout.split("\0"));
}

/** What the sidecar keeps: its state, snapshots, VMs' files, logs. The agents' own programs are not its. */
function onDisk(directory: string): string {
  const search = 'grep -rlasF --exclude-dir=agents -e "$2" "$1" || true';
  return execFileSync("sh", ["-c", search, "sh", directory, CANARY], { encoding: "utf8" });
}
