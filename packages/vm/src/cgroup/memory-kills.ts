import type { LimitHit } from "@agentos/core";

/** A process that was killed has ended within this, however much memory it had. */
const FRESH_MS = 5_000;
/** More kills at once than processes whose end anybody waits for. */
const MAX_KILLS = 1_024;

/** The kernel's kills for memory, each of them the end of one process that somebody may wait for. */
export class MemoryKills {
  #kills: { limit: LimitHit; atMs: number }[] = [];

  /** So many more were counted just now. */
  add(limit: LimitHit, times: number): void {
    const atMs = performance.now();
    const added = Array.from({ length: Math.min(times, MAX_KILLS) }, () => ({ limit, atMs }));
    this.#kills = [...this.#kills, ...added].slice(-MAX_KILLS);
  }

  /** The limit of a kill of the last moments, and not before `sinceMs`, which nobody else then claims. */
  claim(sinceMs: number): LimitHit | undefined {
    const oldest = Math.max(sinceMs, performance.now() - FRESH_MS);
    this.#kills = this.#kills.filter(({ atMs }) => atMs >= performance.now() - FRESH_MS);
    const at = this.#kills.findIndex(({ atMs }) => atMs >= oldest);
    return at === -1 ? undefined : this.#kills.splice(at, 1)[0]?.limit;
  }
}
