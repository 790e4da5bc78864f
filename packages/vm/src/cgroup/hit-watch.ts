import { type FSWatcher, watch } from "node:fs";

import type { LimitHit } from "@agentos/core";

import { readKey } from "./control-file.ts";
import type { CgroupLimitName } from "./vm-cgroup.ts";

/** A bomb hits its limit thousands of times a second; nobody needs to be told more often than this. */
const TELL_MS = 1_000;

/** Where one limit's hits are counted. */
export interface WatchedLimit {
  readonly limit: CgroupLimitName;
  readonly value: number;
  readonly path: string;
  readonly key: string;
  /** The kernel announces changes of the file; else it takes somebody to call `changed` or `check`. */
  readonly announced: boolean;
}

/** Tells the hits of one VM's limits. Idle it costs nothing: no timer, and no watch without a listener. */
export class HitWatch {
  #limits: readonly WatchedLimit[] = [];
  readonly #told = new Map<CgroupLimitName, number>();
  readonly #listeners = new Set<(hit: LimitHit) => void>();
  /** Hears of hits before the listeners do, also where there are none. */
  onCounted: ((hit: LimitHit, times: number) => void) | undefined;
  #watchers: FSWatcher[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Something changed while the timer ran. */
  #changedAgain = false;
  #checking: Promise<void> = Promise.resolve();
  #closed = false;

  /** These were applied. */
  begin(limits: readonly WatchedLimit[]): void {
    this.#limits = limits;
    if (this.#listeners.size > 0) this.#watch();
  }

  /** What was counted until now is nobody's news. */
  async skip(): Promise<void> {
    await Promise.all(
      this.#limits.map(async ({ limit, path, key }) => {
        this.#told.set(limit, (await readKey(path, key)) ?? 0);
      }),
    );
  }

  /** The listener must not throw. The result ends it. */
  listen(listener: (hit: LimitHit) => void): () => void {
    // A wrapper, so that the same function may listen twice.
    const own = (hit: LimitHit): void => listener(hit);
    this.#listeners.add(own);
    if (this.#listeners.size === 1) this.#watch();
    return () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) this.#unwatch();
    };
  }

  /** Tells what was counted since the last time. Never rejects. */
  async check(): Promise<void> {
    // One after the other, or the same hit would be told twice.
    this.#checking = this.#checking.then(() => this.#check());
    await this.#checking;
  }

  /** A hit is about to be counted: looks now, and after a while once more. */
  changed(): void {
    if (this.#closed || this.#listeners.size === 0) return;
    this.#announced();
    this.#changedAgain = true;
  }

  close(): void {
    this.#closed = true;
    this.#listeners.clear();
    this.#unwatch();
  }

  async #check(): Promise<void> {
    if (this.#closed) return;
    const counts = await Promise.all(this.#limits.map(({ path, key }) => readKey(path, key)));
    for (const [at, { limit, value }] of this.#limits.entries()) {
      const count = counts[at];
      const told = this.#told.get(limit) ?? 0;
      if (count === undefined || count <= told) continue;
      this.#told.set(limit, count);
      this.onCounted?.({ limit, value }, count - told);
      for (const listener of this.#listeners) listener({ limit, value });
    }
  }

  #watch(): void {
    if (this.#closed) return;
    this.#unwatch();
    for (const { path, announced } of this.#limits) {
      if (!announced) continue;
      try {
        const watcher = watch(path, { persistent: false }, () => this.#announced());
        // The cgroup is gone, and its limits with it.
        watcher.on("error", () => watcher.close());
        this.#watchers.push(watcher);
      } catch {
        // No watches are left for this user: hits are then told by `check` alone.
      }
    }
  }

  #unwatch(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  }

  /** Looks now, and after a while once more if there was another change until then. */
  #announced(): void {
    if (this.#timer === undefined) this.#look();
    else this.#changedAgain = true;
  }

  #look(): void {
    this.#changedAgain = false;
    void this.check();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#changedAgain) this.#look();
    }, TELL_MS);
    this.#timer.unref();
  }
}
