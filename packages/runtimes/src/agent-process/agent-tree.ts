import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import type { SessionVm, VmHandle } from "@agentos/core";
import { AgentOsError, DEFAULTS, isAgentOsError, type ProcessInfo } from "@agentos/protocol";

import { readVmFile } from "../vm/read-vm-file.ts";

/** In the environment of an agent and of all that it starts: how its processes are known again. */
export const SESSION_VARIABLE = "AGENTOS_SESSION_ID";

/** What is read of a process's environment. */
const ENVIRONMENT_BYTES = 1024 * 1024;
/** Between two looks. */
const LOOK_MS = 20;
const PID_1 = 1;

/**
 * The live processes of a session's agent: those that have its mark in their environment, and what they
 * started. So one that left its session and its parent is found too, and one of an earlier life. `known`:
 * found before; they count as long as they live, though nothing else tells it of them any more.
 */
export async function agentProcesses(
  vm: VmHandle,
  sessionId: string,
  known: readonly ProcessInfo[] = [],
): Promise<ProcessInfo[]> {
  const { processes } = await vm.processes();
  const alive = processes.filter(({ pid, state }) => pid !== PID_1 && !/^[ZX]/.test(state));
  const areFound = await Promise.all(
    alive.map(async (one) => known.some(isSame(one)) || (await isMarked(vm, one.pid, sessionId))),
  );
  const found = new Set(alive.filter((_, index) => areFound[index]).map(({ pid }) => pid));
  // Whoever cleared its environment still has a parent or a session.
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const { pid, ppid, sid } of alive) if (found.has(ppid) || found.has(sid)) found.add(pid);
  }
  return alive.filter(({ pid }) => found.has(pid));
}

/** Kills a session's agent and all that it started, and makes sure. Rejects with `DEADLINE_EXCEEDED` where something is left after `withinMs`. */
export async function endAgentTree(
  vm: VmHandle,
  sessionId: string,
  { withinMs, known = [] }: { withinMs: number; known?: readonly ProcessInfo[] },
): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (let seen = known; ;) {
    // oxlint-disable-next-line no-await-in-loop -- One look after the other.
    const left = await agentProcesses(vm, sessionId, seen);
    if (left.length === 0) return;
    if (performance.now() > deadline) throw stillThere(left, withinMs);
    seen = [...seen, ...left];
    // oxlint-disable-next-line no-await-in-loop -- One look after the other.
    await kill(vm, left);
    // oxlint-disable-next-line no-await-in-loop -- One look after the other.
    await sleep(LOOK_MS);
  }
}

/** The same for a session that ends, where its VM may be gone, or another holder's, before. */
export async function endLeftTree(
  vm: SessionVm,
  sessionId: string,
  withinMs: number,
): Promise<void> {
  try {
    await endAgentTree(vm.handle(), sessionId, { withinMs });
  } catch (error) {
    if (!isAgentOsError(error, "VM_ENDED") && !isAgentOsError(error, "FENCED")) throw error;
  }
}

/** A number may come again: not with the same session and program within an end's time. */
function isSame(one: ProcessInfo): (other: ProcessInfo) => boolean {
  return ({ pid, sid, command }) => pid === one.pid && sid === one.sid && command === one.command;
}

async function isMarked(vm: VmHandle, pid: number, sessionId: string): Promise<boolean> {
  try {
    const environment = await readVmFile(vm.files, `/proc/${pid}/environ`, ENVIRONMENT_BYTES);
    return environment.toString().split("\0").includes(`${SESSION_VARIABLE}=${sessionId}`);
  } catch (error) {
    // Gone meanwhile, or nobody's to read: then its parent and session tell.
    if (isAgentOsError(error, "FILE_SYSTEM") || isAgentOsError(error, "INVALID_ARGUMENT")) {
      return false;
    }
    throw error;
  }
}

/** The shell's own `kill`: it is in every VM. */
async function kill(vm: VmHandle, processes: readonly ProcessInfo[]): Promise<void> {
  const pids = processes.map(({ pid }) => String(pid));
  const killer = await vm.startProcess(
    {
      processId: `kill-${randomUUID()}`,
      argv: ["/bin/sh", "-c", 'kill -KILL "$@" 2>/dev/null; :', "sh", ...pids],
      cwd: "/",
      env: vm.environment,
      stdin: "none",
      output: "logged",
      windowBytes: DEFAULTS.streamWindowBytes,
    },
    { frame: () => undefined, closed: () => undefined },
  );
  try {
    await killer.exited;
  } finally {
    killer.close();
  }
}

function stillThere(left: readonly ProcessInfo[], deadlineMs: number): AgentOsError {
  const names = left.map(({ pid, command }) => `${command} (${pid})`).join(", ");
  const operation = "ending the agent's processes";
  const message = `${operation}: after ${deadlineMs} ms there are still ${names}`;
  return new AgentOsError("DEADLINE_EXCEEDED", message, { operation, deadlineMs });
}
