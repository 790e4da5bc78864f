import { setTimeout as sleep } from "node:timers/promises";

import type { SessionVm, VmProcess } from "@agentos/core";
import { isAgentOsError } from "@agentos/protocol";

import { agentProcesses, endAgentTree } from "./agent-tree.ts";

/** Most that each step takes: asking, SIGTERM, and the killing with its look. */
const STEP_MS = 2_000;

export interface EndOptions {
  readonly vm: SessionVm;
  readonly sessionId: string;
  readonly process: VmProcess;
  readonly shutdownMs: number;
  /** Resolves once the program is gone. */
  readonly gone: Promise<unknown>;
  /** Asks it to end, in its own way. */
  readonly ask: () => void;
}

/**
 * Ends an agent's program in order: it is asked, then SIGTERM, then SIGKILL. Resolves once no process of
 * the agent is left; rejects with `DEADLINE_EXCEEDED` where one is.
 */
export async function endProcess(options: EndOptions): Promise<void> {
  const { process } = options;
  try {
    await endTree(options);
  } catch (error) {
    // With its VM, everything of it is gone.
    if (isAgentOsError(error, "VM_ENDED")) return;
    // Another holder's VM is no longer ours to look into: what is known of the agent is killed.
    if (!isAgentOsError(error, "FENCED")) throw error;
    process.signal("SIGKILL", "session");
  } finally {
    process.close();
  }
}

async function endTree({
  vm,
  sessionId,
  process,
  shutdownMs,
  gone,
  ask,
}: EndOptions): Promise<void> {
  const stepMs = Math.min(STEP_MS, shutdownMs / 4);
  // While its parents live: afterwards nothing tells of one that cleared its environment.
  const known = await agentProcesses(vm.handle(), sessionId);
  ask();
  if (!(await isGone(gone, stepMs))) {
    process.signal("SIGTERM", "session");
    await isGone(gone, stepMs);
  }
  process.signal("SIGKILL", "session");
  await endAgentTree(vm.handle(), sessionId, { withinMs: stepMs, known });
  await isGone(gone, stepMs);
}

async function isGone(gone: Promise<unknown>, withinMs: number): Promise<boolean> {
  const timer = new AbortController();
  const late = sleep(withinMs, false, { signal: timer.signal }).catch(() => false);
  const result = await Promise.race([gone.then(() => true), late]);
  timer.abort();
  return result;
}
