import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";

import type { DiscoveryFile } from "@agentos/protocol";

import { removeDiscoveryFile, writeDiscoveryFile } from "./discovery-file.ts";
import { nextEpoch } from "./epoch.ts";
import type { SidecarOptions } from "./options.ts";
import { PoolLock } from "./pool-lock.ts";
import { makePrivateDirectory } from "./private-directory.ts";
import { poolKey } from "./store/pool-key.ts";
import { Store } from "./store/store.ts";

const HASH_CHARACTERS = 6;

type HomeOptions = Pick<
  SidecarOptions,
  "sidecarId" | "stateDirectory" | "runtimeDirectory" | "pool" | "storeBytes"
>;

/** What a pool keeps from one life to the next; of an explicit sidecar it is in memory. */
interface Kept {
  readonly key: Buffer;
  readonly store: Store;
}

/** What one life of a sidecar takes up on disk: its directories, its pool's lock, its epoch, its store, its files. */
export class SidecarHome implements AsyncDisposable {
  readonly epoch: number;
  /** Where it listens by default. */
  readonly socketPath: string;
  /** For the drivers' sockets, of this life only. */
  readonly vmDirectory: string;
  /** For files that outlive their VM. An explicit sidecar's go with it. */
  readonly diskDirectory: string;
  readonly store: Store;
  /** The pool's secret. */
  readonly key: Buffer;
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
    let kept: Kept | undefined;
    try {
      await makePrivateDirectory(stateDirectory, "state directory");
      const owner = pool === undefined ? `sidecar:${sidecarId}` : `pool:${pool}`;
      kept = await open(options);
      const home = new SidecarHome(options, lock, kept, nextEpoch(stateDirectory, owner));
      await home.#clearOld();
      await removeOrphans(stateDirectory);
      await makePrivateDirectory(home.vmDirectory, "VM directory");
      return home;
    } catch (error) {
      kept?.store[Symbol.dispose]();
      lock?.[Symbol.dispose]();
      throw error;
    }
  }

  private constructor(
    options: HomeOptions,
    lock: PoolLock | undefined,
    { key, store }: Kept,
    epoch: number,
  ) {
    this.#options = options;
    this.key = key;
    this.store = store;
    this.#lock = lock;
    this.epoch = epoch;
    const { runtimeDirectory } = options;
    this.socketPath = join(
      runtimeDirectory,
      lock === undefined ? `${this.#prefix}${epoch}.sock` : "sidecar.sock",
    );
    this.vmDirectory = join(runtimeDirectory, `${this.#prefix}${epoch}`);
    const { pool, stateDirectory } = options;
    const owner = pool === undefined ? ownName() : `pool-${hashOf(pool)}`;
    this.diskDirectory = join(stateDirectory, `${owner}.disks`);
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
    await this.#clearOld();
    if (this.#options.pool === undefined)
      await rm(this.diskDirectory, { recursive: true, force: true }).catch(() => undefined);
    this.store[Symbol.dispose]();
    this.#lock?.[Symbol.dispose]();
  }

  get #discoveryPath(): string {
    return join(this.#options.runtimeDirectory, "sidecar.json");
  }

  /** Explicit sidecars may share a directory, even an id: the prefix keeps them apart, the epoch their lives. */
  get #prefix(): string {
    if (this.#options.pool !== undefined) return "v";
    return `x${hashOf(this.#options.sidecarId)}-`;
  }

  /** Directories of this and killed lives, where nothing lives in them any more. */
  async #clearOld(): Promise<void> {
    const { runtimeDirectory } = this.#options;
    const names = await readdir(runtimeDirectory);
    const old = names.filter((name) => name.startsWith(this.#prefix) && /-?\d+$/.test(name));
    await Promise.all(old.map((name) => removeEmpty(join(runtimeDirectory, name))));
  }
}

/** Two pools may share a state directory: the names of their files keep them apart. */
async function open({ stateDirectory, pool, storeBytes: maxBytes }: HomeOptions): Promise<Kept> {
  if (pool === undefined) {
    const key = randomBytes(32);
    return { key, store: new Store({ key, maxBytes }) };
  }
  const name = join(stateDirectory, `pool-${hashOf(pool)}`);
  const key = await poolKey(`${name}.key`);
  return { key, store: new Store({ path: `${name}.sqlite`, key, maxBytes }) };
}

/** Of this process and no later one with its pid. */
function ownName(): string {
  return `explicit-${process.pid}-${startOf(process.pid) ?? "0"}`;
}

/** When a process began, in ticks. Undefined: there is none. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name before it is in brackets and may hold anything.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

/** The files that killed explicit sidecars left: nobody succeeds those. */
async function removeOrphans(stateDirectory: string): Promise<void> {
  for (const name of await readdir(stateDirectory)) {
    const [, pid, start] = /^explicit-(\d+)-(\d+)\.disks$/.exec(name) ?? [];
    if (pid === undefined || startOf(Number(pid)) === start) continue;
    const path = join(stateDirectory, name);
    // What can't be removed is tried again by the next one.
    // oxlint-disable-next-line no-await-in-loop -- There is hardly ever one.
    await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

function hashOf(name: string): string {
  return createHash("sha256").update(name).digest("hex").slice(0, HASH_CHARACTERS);
}

async function removeEmpty(path: string): Promise<void> {
  // Not empty: a spawner of that life still waits for its VMs' end, and clears up itself.
  await rmdir(path).catch(() => undefined);
}
