import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgentOs, DEFAULTS } from "@agentos/client";
import { afterAll, beforeAll } from "vitest";

/** A folder of its own for a test file: its sidecars live and end in it. */
export interface World {
  readonly directory: string;
  /** Environment that makes a child process use the same pool. */
  readonly env: Record<string, string>;
}

/** Gives the test file its own runtime and state directory, and ends what is left at its end. */
export function useWorld(): World {
  const directory = mkdtempSync(join(tmpdir(), "aos-"));
  const env = {
    AGENTOS_RUNTIME_DIR: join(directory, "run"),
    AGENTOS_STATE_DIR: join(directory, "state"),
  };
  beforeAll(() => {
    Object.assign(process.env, env);
  });
  afterAll(async () => {
    const sidecar = await AgentOs.getSharedSidecar();
    await sidecar.shutdown();
    await sidecar.dispose();
    // A guest may have closed directories of a disk that outlived it. What goes meanwhile is no failure.
    execFileSync("sh", ["-c", 'chmod -R u+rwX "$1" 2>/dev/null || true', "sh", directory]);
    rmSync(directory, { recursive: true, force: true });
  });
  return { directory, env };
}

/** Every process of this machine whose command line holds `text`. */
export function processesWith(text: string): number[] {
  return execFileSync("ps", ["-eo", "pid=,args="], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.includes(text))
    .map((line) => Number.parseInt(line, 10))
    .filter((pid) => pid !== process.pid);
}

/** The mounts of this process's namespace. */
export function mountsHere(): string {
  return readFileSync("/proc/self/mounts", "utf8");
}

/** Ends when `condition` holds; vitest's timeout is the bound. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** What lies in a folder, but for the sockets of VMs, each of which has a name of its own. */
export function filesIn(directory: string): string[] {
  return namesIn(directory).filter((name) => !VM_SOCKET.test(name));
}

/** Whether there is a VM at each VM's socket, and none but those that are leased, or wait for a lease. */
export async function hasNoStraySocket(directory: string): Promise<boolean> {
  const sockets = namesIn(directory).filter((name) => VM_SOCKET.test(name));
  const waiting = sockets.length - (await AgentOs.list()).length;
  if (waiting < DEFAULTS.warmPoolSize) return false;
  if (waiting > DEFAULTS.warmPoolSize + DEFAULTS.spareVms) return false;
  const listening = await Promise.all(sockets.map((name) => isListening(join(directory, name))));
  return listening.every(Boolean);
}

async function isListening(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

const VM_SOCKET = /\bv-[0-9a-f]+$/;

function namesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" }).toSorted();
}
