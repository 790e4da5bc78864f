import type { LimitHit, VmProcessExit } from "@agentos/core";
import { isAgentOsError } from "@agentos/protocol";

import type { VmCgroup } from "../cgroup/vm-cgroup.ts";
import type { DiskUse } from "./disk/disk-use.ts";
import type { LinuxFiles } from "./linux-files.ts";
import type { LiveLimits } from "./live-limits.ts";
import type { ExplainExit } from "./linux-process.ts";

/** On the one file system that a guest can write without a mount. */
const DISK_PATH = "/workspace";
/** Less than a page is left of it. */
const PAGE_BYTES = 4_096;
/** A full disk is told at most this often. */
const TELL_MS = 1_000;
/** What a shell says of a program that got SIGKILL. */
const SHELL_SIGKILL = 137;

export interface LimitHitsParts {
  cgroup: VmCgroup;
  limits: LiveLimits;
  files: LinuxFiles;
  /** Of a disk that is a directory of the host. */
  disk: DiskUse | undefined;
}

/** The hits of one VM's limits: who hears of them, and which ends they explain. */
export class LimitHits {
  readonly #parts: LimitHitsParts;
  readonly #listeners = new Set<(hit: LimitHit) => void>();
  #diskToldMs = Number.NEGATIVE_INFINITY;

  constructor(parts: LimitHitsParts) {
    this.#parts = parts;
    parts.files.onNoSpace = () => void this.#checkDisk();
  }

  listen(listener: (hit: LimitHit) => void): () => void {
    // Each call is one subscription, also of the same function.
    const own = (hit: LimitHit): void => listener(hit);
    this.#listeners.add(own);
    const stop = this.#parts.cgroup.onHit(own);
    return () => {
      this.#listeners.delete(own);
      stop();
    };
  }

  tell(hit: LimitHit): void {
    for (const listener of this.#listeners) listener(hit);
  }

  /** Nobody listens any more. */
  clear(): void {
    this.#listeners.clear();
  }

  /** What the VM's disk holds. */
  async diskBytes(): Promise<number> {
    const { disk, files } = this.#parts;
    const used = await (disk === undefined ? files.usedBytes(DISK_PATH) : disk.bytes());
    this.#noteDisk(used);
    return used;
  }

  /** Whether the kernel ended it for the VM's memory: itself, or the program whose end a shell passes on. */
  readonly explain: ExplainExit = (exit, { startedMs, killedByUs }) => {
    if (exit.exitCode !== 0) void this.#lookAfterFailure();
    const wasKilled = exit.signal === "SIGKILL" && !exit.timedOut && !killedByUs;
    if (!wasKilled && exit.exitCode !== SHELL_SIGKILL) return exit;
    return this.#claimed(exit, startedMs);
  };

  /** A process could not be started. */
  startFailed(error: unknown): void {
    if (!isAgentOsError(error, "FILE_SYSTEM") || error.details.errno !== "EAGAIN") return;
    const { value } = this.#parts.limits.states.pids;
    // The cgroup counts what it refuses; RLIMIT_NPROC counts nothing.
    if (this.#parts.cgroup.directories.length > 0) void this.#parts.cgroup.check();
    else if (value !== null) this.tell({ limit: "pids", value });
  }

  async #claimed(exit: VmProcessExit, startedMs: number): Promise<VmProcessExit> {
    const limit = await this.#parts.cgroup.claimKill(startedMs);
    return limit === undefined ? exit : { ...exit, limit };
  }

  /** A failure may have been a limit's doing: not everything tells by itself. */
  async #lookAfterFailure(): Promise<void> {
    if (this.#listeners.size === 0) return;
    await Promise.all([this.#parts.cgroup.check(), this.#checkDisk()]);
  }

  async #checkDisk(): Promise<void> {
    // A VM that ends meanwhile has no disk to be full.
    await this.diskBytes().catch(() => undefined);
  }

  #noteDisk(used: number): void {
    const { value } = this.#parts.limits.states.diskBytes;
    const now = performance.now();
    if (value === null || used + PAGE_BYTES <= value || now - this.#diskToldMs < TELL_MS) return;
    this.#diskToldMs = now;
    this.tell({ limit: "diskBytes", value });
  }
}
