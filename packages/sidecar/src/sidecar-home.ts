import { createHash } from "node:crypto";
import { readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";

import type { DiscoveryFile } from "@agentos/protocol";

import { removeDiscoveryFile, writeDiscoveryFile } from "./discovery-file.ts";
import { nextEpoch } from "./epoch.ts";
import type { SidecarOptions } from "./options.ts";
import { PoolLock } from "./pool-lock.ts";
import { makePrivateDirectory } from "./private-directory.ts";

const HASH_CHARACTERS = 6;

type HomeOptions = Pick<
  SidecarOptions,
  "sidecarId" | "stateDirectory" | "runtimeDirectory" | "pool"
>;

/** What one life of a sidecar takes up on disk: its directories, its pool's lock, its epoch, its files. */
export class SidecarHome implements AsyncDisposable {
  readonly epoch: number;
  /** Where it listens by default. */
  readonly socketPath: string;
  /** For the drivers' sockets, of this life only. */
  readonly vmDirectory: string;
  readonly #options: HomeOptions;
  readonly #lock: PoolLock | undefined;
  #discovery: DiscoveryFile | undefined;

  /** Undefined: another sidecar of the pool is alive. Rejects with `SIDECAR_START_FAILED`. */
  static async take(options: HomeOptions): Promise<SidecarHome | undefined> {
    const { stateDirectory, runtimeDirectory, pool, sidecarId } = options;
    await makePrivateDirectory(runtimeDirectory, "runtime directory");
    const lock =
      pool === undefined ? undefined : PoolLock.acquire(join(runtimeDirectory, "sidecar.lock"));
    if (pool !== undefined && lock === undefined) return undefined;
    try {
      await makePrivateDirectory(stateDirectory, "state directory");
      const owner = pool === undefined ? `sidecar:${sidecarId}` : `pool:${pool}`;
      const home = new SidecarHome(options, lock, nextEpoch(stateDirectory, owner));
      await home.#clearOld();
      await makePrivateDirectory(home.vmDirectory, "VM directory");
      return home;
    } catch (error) {
      lock?.[Symbol.dispose]();
      throw error;
    }
  }

  private constructor(options: HomeOptions, lock: PoolLock | undefined, epoch: number) {
    this.#options = options;
    this.#lock = lock;
    this.epoch = epoch;
    const { runtimeDirectory } = options;
    this.socketPath = join(
      runtimeDirectory,
      lock === undefined ? `${this.#prefix}${epoch}.sock` : "sidecar.sock",
    );
    this.vmDirectory = join(runtimeDirectory, `${this.#prefix}${epoch}`);
  }

  /** Lets other programs of the user find a pool's sidecar. */
  async publish(content: DiscoveryFile): Promise<void> {
    if (this.#lock === undefined) return;
    this.#discovery = content;
    await writeDiscoveryFile(this.#discoveryPath, content);
  }

  /** Nobody finds it any more; who has found it may still be connected. */
  async unpublish(): Promise<void> {
    const own = this.#discovery;
    this.#discovery = undefined;
    if (own !== undefined) await removeDiscoveryFile(this.#discoveryPath, own);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unpublish();
    await removeEmpty(this.vmDirectory);
    this.#lock?.[Symbol.dispose]();
  }

  get #discoveryPath(): string {
    return join(this.#options.runtimeDirectory, "sidecar.json");
  }

  /** Explicit sidecars may share a directory, even an id: the prefix keeps them apart, the epoch their lives. */
  get #prefix(): string {
    if (this.#options.pool !== undefined) return "v";
    const hash = createHash("sha256").update(this.#options.sidecarId).digest("hex");
    return `x${hash.slice(0, HASH_CHARACTERS)}-`;
  }

  /** Directories of killed lives, where nothing lives in them any more. */
  async #clearOld(): Promise<void> {
    const { runtimeDirectory } = this.#options;
    const names = await readdir(runtimeDirectory);
    const old = names.filter((name) => name.startsWith(this.#prefix) && /-?\d+$/.test(name));
    await Promise.all(old.map((name) => removeEmpty(join(runtimeDirectory, name))));
  }
}

async function removeEmpty(path: string): Promise<void> {
  // Not empty: a spawner of that life still waits for its VMs' end, and clears up itself.
  await rmdir(path).catch(() => undefined);
}
