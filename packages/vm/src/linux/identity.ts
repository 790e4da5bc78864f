import { randomInt, randomUUID } from "node:crypto";
import { link, lstat, mkdir, readdir, readFile, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { hostProcess, isAlive } from "./host-process.ts";
import { unavailable } from "./vmd-binary.ts";

const FIRST_ID = 100_000;
const LAST_ID = 1_000_000_000;
/** For a root that has few ids, as in a container: above what people and services use. */
const FALLBACK_FIRST_ID = 20_000;
const BLOCK_IDS = 1024;
const ATTEMPTS = 64;
/** Where the sidecars of one machine see one another's blocks. */
const DEFAULT_DIRECTORY = "/run/agentos-ids";

interface Range {
  readonly first: number;
  readonly end: number;
}

/** The host ids that a VM runs under. */
export interface Identity {
  /** Undefined: the sidecar's own. */
  readonly hostId: number | undefined;
  release(): void;
}

/** Gives each live VM host ids of its own. */
export interface IdentitySource extends AsyncDisposable {
  /** Rejects with `DRIVER_UNAVAILABLE` where there is none. */
  take(): Promise<Identity>;
  /** That of an adopted VM, or of a lineage, so that no other VM gets it before its release. */
  reserve(hostId: number | undefined): Promise<Identity>;
}

/** As an ordinary user: every VM runs as that user. */
export class OwnIdentity implements IdentitySource {
  async take(): Promise<Identity> {
    return { hostId: undefined, release() {} };
  }

  async reserve(): Promise<Identity> {
    return this.take();
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/**
 * As root: a block of ids that nobody else on the machine uses, claimed by a file that is made with
 * its content in one step. The block is picked at random and has no process, so a claim left by a
 * dead sidecar is swept and the ids of its VMs still don't come back while they live.
 */
export class BlockIdentities implements IdentitySource {
  readonly #directory: string;
  /** How many hold each: VMs of one lineage share theirs. */
  readonly #used = new Map<number, number>();
  #claim: Promise<{ first: number; path: string }> | undefined;
  #next = 0;

  constructor(directory: string = DEFAULT_DIRECTORY) {
    this.#directory = directory;
  }

  async take(): Promise<Identity> {
    this.#claim ??= this.#claimBlock();
    const { first } = await this.#claim;
    for (let tried = 0; tried < BLOCK_IDS; tried++) {
      const at = this.#next;
      this.#next = (at + 1) % BLOCK_IDS;
      if (this.#used.has(at)) continue;
      return this.#hold(first, at);
    }
    throw unavailable(`all ${BLOCK_IDS} host ids of this sidecar are in use`);
  }

  async reserve(hostId: number | undefined): Promise<Identity> {
    this.#claim ??= this.#claimBlock();
    const { first } = await this.#claim;
    const at = (hostId ?? 0) - first;
    // Most are of an earlier sidecar's block, which nobody claims while one of its VMs lives.
    if (at < 0 || at >= BLOCK_IDS) return { hostId, release() {} };
    return this.#hold(first, at);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const claim = await this.#claim?.catch(() => undefined);
    if (claim !== undefined) await unlink(claim.path).catch(ignoreMissing);
  }

  #hold(first: number, at: number): Identity {
    this.#used.set(at, (this.#used.get(at) ?? 0) + 1);
    let isHeld = true;
    const release = (): void => {
      if (!isHeld) return;
      isHeld = false;
      const left = (this.#used.get(at) ?? 0) - 1;
      if (left > 0) this.#used.set(at, left);
      else this.#used.delete(at);
    };
    return { hostId: first + at, release };
  }

  async #claimBlock(): Promise<{ first: number; path: string }> {
    await this.#prepareDirectory();
    await this.#sweep();
    const ranges = await freeRanges();
    const inUse = await usedBlocks();
    const self = await hostProcess(process.pid);
    const content = `${process.pid} ${self?.startTicks ?? ""}\n`;
    const unfinished = join(this.#directory, `.${randomUUID()}`);
    await writeFile(unfinished, content, { mode: 0o600, flag: "wx" });
    try {
      return await this.#linkSome(unfinished, ranges, inUse);
    } finally {
      await unlink(unfinished);
    }
  }

  async #linkSome(
    unfinished: string,
    ranges: readonly Range[],
    inUse: ReadonlySet<number>,
  ): Promise<{ first: number; path: string }> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const first = pick(ranges);
      if (inUse.has(first)) continue;
      const path = join(this.#directory, String(first));
      // Each attempt depends on the one before having failed.
      // oxlint-disable-next-line no-await-in-loop
      const error = await link(unfinished, path).then(() => undefined, errorCode);
      if (error === undefined) return { first, path };
      if (error !== "EEXIST") throw unavailable(`no block of host ids can be claimed: ${error}`);
    }
    throw unavailable("no block of host ids is free", "end sidecars that are not needed");
  }

  /** Anybody who could write here could make two VMs share their ids. */
  async #prepareDirectory(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const found = await lstat(this.#directory);
    if (!found.isDirectory() || found.uid !== 0 || (found.mode & 0o022) !== 0) {
      throw unavailable(`${this.#directory} must be a directory that only root can write`);
    }
  }

  async #sweep(): Promise<void> {
    const names = await readdir(this.#directory);
    await Promise.all(
      names.map(async (name) => {
        const path = join(this.#directory, name);
        const content = await readFile(path, "latin1").catch(() => undefined);
        const [pid, startTicks] = content?.trim().split(" ") ?? [];
        if (pid === undefined || startTicks === undefined) return;
        if (await isAlive({ pid: Number(pid), startTicks })) return;
        await unlink(path).catch(ignoreMissing);
      }),
    );
  }
}

/** What this process may use and nobody was given: not users' subordinate ids. */
async function freeRanges(): Promise<Range[]> {
  const mapped = intersect(
    await mappedRanges("/proc/self/uid_map"),
    await mappedRanges("/proc/self/gid_map"),
  );
  const taken = [...(await subordinate("/etc/subuid")), ...(await subordinate("/etc/subgid"))];
  const free = (first: number): Range[] =>
    taken
      .reduce(
        (ranges, hole) => subtract(ranges, hole),
        intersect(mapped, [{ first, end: LAST_ID }]),
      )
      .map((range) => ({ ...range, first: Math.ceil(range.first / BLOCK_IDS) * BLOCK_IDS }))
      .filter((range) => range.end - range.first >= BLOCK_IDS);
  const ranges = free(FIRST_ID);
  const found = ranges.length > 0 ? ranges : free(FALLBACK_FIRST_ID);
  if (found.length === 0) {
    throw unavailable("root has no unused user ids here", "run the sidecar as an ordinary user");
  }
  return found;
}

/** The first id of each block that a process runs under. */
async function usedBlocks(): Promise<Set<number>> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const ids = await Promise.all(
    pids.map(async (pid) => {
      const status = await readFile(`/proc/${pid}/status`, "latin1").catch(() => "");
      return Number(/^Uid:\t(\d+)/m.exec(status)?.[1] ?? 0);
    }),
  );
  return new Set(ids.map((id) => Math.floor(id / BLOCK_IDS) * BLOCK_IDS));
}

async function mappedRanges(path: string): Promise<Range[]> {
  const text = await readFile(path, "latin1");
  return text
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([first = 0, , count = 0]) => ({ first, end: first + count }));
}

async function subordinate(path: string): Promise<Range[]> {
  const text = await readFile(path, "latin1").catch(() => "");
  return text
    .split("\n")
    .map((line) => line.split(":"))
    .filter((parts) => parts.length === 3)
    .map(([, first, count]) => ({ first: Number(first), end: Number(first) + Number(count) }))
    .filter(({ first, end }) => Number.isInteger(first) && end > first);
}

function intersect(a: readonly Range[], b: readonly Range[]): Range[] {
  return a
    .flatMap((x) =>
      b.map((y) => ({ first: Math.max(x.first, y.first), end: Math.min(x.end, y.end) })),
    )
    .filter(({ first, end }) => end > first);
}

function subtract(ranges: readonly Range[], hole: Range): Range[] {
  return ranges
    .flatMap((range) => [
      { first: range.first, end: Math.min(range.end, hole.first) },
      { first: Math.max(range.first, hole.end), end: range.end },
    ])
    .filter(({ first, end }) => end > first);
}

/** A block of a range. Ranges begin at multiples of a block, so two blocks are the same or apart. */
function pick(ranges: readonly Range[]): number {
  const blocks = ranges.map((range) => Math.floor((range.end - range.first) / BLOCK_IDS));
  let at = randomInt(blocks.reduce((sum, count) => sum + count, 0));
  for (const [index, range] of ranges.entries()) {
    const count = blocks[index] ?? 0;
    if (at < count) return range.first + at * BLOCK_IDS;
    at -= count;
  }
  throw unavailable("no block of host ids is free");
}

function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}

function ignoreMissing(error: unknown): void {
  if (errorCode(error) !== "ENOENT") throw error;
}
