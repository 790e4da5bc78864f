import { existsSync, type WriteStream } from "node:fs";
import { join } from "node:path";

import { AgentOsError, DEFAULTS, type StartReply, type StartRequest } from "@agentos/protocol";
import type { execa } from "execa";

import { encodeStartRequest, readStartReply } from "./start-message.ts";
import { SidecarLog } from "./sidecar-log.ts";
import { withDeadline } from "./with-deadline.ts";

/** After SIGTERM, before SIGKILL. */
const TERMINATE_MS = 2_000;
/** From the end of stdin to the end of an explicit sidecar, which ends its VMs first. */
const DRAIN_MS = 10_000;
const KEPT_NAMES = new Set(["PATH", "HOME", "TMPDIR", "LANG"]);

export type Ready = Extract<StartReply, { kind: "ready" }>;

export interface StartOptions {
  mainPath: string;
  logPath: string;
  request: StartRequest;
  /** Default 15 s. */
  deadlineMs?: number | undefined;
}

type Child = ReturnType<typeof spawn>;

/** A sidecar that this program started. */
export class SidecarProcess {
  readonly ready: Ready;
  readonly #child: Child;
  readonly #isShared: boolean;
  #ending: Promise<void> | undefined;

  /** Starts one, or resolves with undefined where another of the pool is alive. Rejects with `SIDECAR_START_FAILED`; then the process is gone. */
  static async start(options: StartOptions): Promise<SidecarProcess | undefined> {
    // Only here: most programs find a sidecar that runs.
    const { execa: start } = await import("execa");
    const log = await SidecarLog.open(options.logPath);
    const child = spawn(start, options, log.output);
    const isShared = options.request.pool !== undefined;
    try {
      child.stdin.write(encodeStartRequest(options.request));
      const deadlineMs = options.deadlineMs ?? DEFAULTS.sidecarStartMs;
      const reply = await withDeadline(
        readStartReply(child.stdout),
        deadlineMs,
        "it was not ready",
      );
      if (reply.kind === "failed") throw new Error(`${reply.code}: ${reply.message}`);
      if (reply.kind === "elsewhere") {
        await terminate(child);
        return undefined;
      }
      return new SidecarProcess(child, reply, isShared);
    } catch (error) {
      await abandon(child, isShared);
      throw startFailed(await reasonOf(child, error), await log.tail());
    } finally {
      await log.close();
    }
  }

  private constructor(child: Child, ready: Ready, isShared: boolean) {
    this.#child = child;
    this.#isShared = isShared;
    this.ready = ready;
    child.stdout.destroy();
    // A shared one outlives this program; an explicit one takes the end of its stdin as the end.
    if (isShared) child.stdin.end();
    child.nodeChildProcess.unref();
  }

  /** Ends an explicit sidecar and its VMs; one that does not is killed. Resolves when the process is gone. */
  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  /** Ends a sidecar that can't be used; VMs of a pool wait for its next one. Resolves when the process is gone. */
  async kill(): Promise<void> {
    await abandon(this.#child, this.#isShared);
  }

  async #end(): Promise<void> {
    this.#child.nodeChildProcess.ref();
    this.#child.stdin.end();
    try {
      await withDeadline(this.#child, DRAIN_MS, "it did not end");
    } catch {
      // Neither the end of stdin nor time ended it.
      await terminate(this.#child);
    }
  }
}

/**
 * Each chunk of bulk is an object with much memory outside of the heap. In a small young generation
 * they are collected while they are few; in a large one they add up until the whole heap is marked.
 */
const NODE_FLAGS = ["--disable-warning=ExperimentalWarning", "--max-semi-space-size=1"];

// The type is execa's own, of exactly these options.
function spawn(start: typeof execa, { mainPath, request }: StartOptions, stderr: WriteStream) {
  return start(process.execPath, [...NODE_FLAGS, mainPath], {
    cwd: "/",
    env: environment(request.stateDirectory),
    extendEnv: false,
    stdin: "pipe",
    stdout: "pipe",
    stderr,
    buffer: false,
    reject: false,
    // Signals of this program's terminal are not for the sidecar.
    detached: true,
    cleanup: false,
  });
}

/** Nothing of the program's environment reaches a sidecar but these names. Its compiled code is kept in the user's own state directory, never in a folder that others can write. */
function environment(stateDirectory: string): Record<string, string> {
  const kept = Object.entries(process.env).flatMap(([name, value]): [string, string][] =>
    value !== undefined && (KEPT_NAMES.has(name) || name.startsWith("XDG_")) ? [[name, value]] : [],
  );
  // Node would make a missing one open to others: the first sidecar makes it, the next ones find it.
  if (existsSync(stateDirectory))
    kept.push(["NODE_COMPILE_CACHE", join(stateDirectory, "compile-cache")]);
  return Object.fromEntries(kept);
}

/** Asked to end, a sidecar would end its VMs, and it may have taken over those of the pool's last one: those of a killed one wait for the next. */
async function abandon(child: Child, isShared: boolean): Promise<void> {
  if (!isShared) return await terminate(child);
  child.nodeChildProcess.ref();
  child.kill("SIGKILL");
  await child;
}

async function terminate(child: Child): Promise<void> {
  child.nodeChildProcess.ref();
  child.kill("SIGTERM");
  try {
    await withDeadline(child, TERMINATE_MS, "it did not end");
  } catch {
    // SIGTERM was not enough.
    child.kill("SIGKILL");
    await child;
  }
}

async function reasonOf(child: Child, error: unknown): Promise<string> {
  const { originalMessage, exitCode } = await child;
  if (child.pid === undefined) return originalMessage ?? "it could not be spawned";
  const reason = error instanceof Error ? error.message : String(error);
  return exitCode === undefined ? reason : `${reason} (exit code ${exitCode})`;
}

function startFailed(reason: string, stderr: string[]): AgentOsError {
  const shown = stderr.length === 0 ? "" : `\n${stderr.join("\n")}`;
  return new AgentOsError("SIDECAR_START_FAILED", `the sidecar did not start: ${reason}${shown}`, {
    reason,
    stderr,
  });
}
