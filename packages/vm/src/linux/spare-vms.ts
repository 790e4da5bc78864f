import type { VmRequest } from "@agentos/core";
import { DEFAULTS } from "@agentos/protocol";

import type { VmLaunch } from "./vm-launch.ts";
import { WarmPool } from "./warm-pool.ts";

export interface SpareVmsOptions {
  /** Starts a VM as the request wants it, sealed and nobody's. */
  readonly prepare: (request: VmRequest, signal: AbortSignal) => Promise<VmLaunch>;
  readonly isBusy: () => boolean;
}

/** A VM sealed ahead for what was asked for twice in a row: that it was asked for a third time is likely. */
export class SpareVms implements AsyncDisposable {
  readonly #options: SpareVmsOptions;
  readonly #ending = new Set<Promise<void>>();
  #last: string | undefined;
  #kept: { readonly kind: string; readonly pool: WarmPool } | undefined;

  constructor(options: SpareVmsOptions) {
    this.#options = options;
  }

  /** One that is as the request wants it, or undefined. Whoever takes it owns it, and leases it. */
  take(request: VmRequest): VmLaunch | undefined {
    const kind = kindOf(request);
    const isRepeated = kind !== undefined && kind === this.#last;
    this.#last = kind;
    if (!isRepeated) return undefined;
    if (this.#kept?.kind !== kind) {
      this.#drop();
      this.#kept = { kind, pool: this.#poolOf(request) };
    }
    return this.#kept.pool.take();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#drop();
    await Promise.all(this.#ending);
  }

  #poolOf(request: VmRequest): WarmPool {
    return new WarmPool({
      size: DEFAULTS.spareVms,
      refillMs: DEFAULTS.warmPoolRefillMs,
      prepare: (signal) => this.#options.prepare(request, signal),
      isBusy: this.#options.isBusy,
    });
  }

  /** Ends what waits for a request that is not the last any more. */
  #drop(): void {
    if (this.#kept === undefined) return;
    const ending = this.#kept.pool[Symbol.asyncDispose]().finally(() =>
      this.#ending.delete(ending),
    );
    this.#ending.add(ending);
    this.#kept = undefined;
  }
}

/** Two requests of one kind differ in their ids only. Undefined where it needs the host's files of that moment. */
function kindOf({ vmId: _vmId, ...request }: VmRequest): string | undefined {
  const { mounts, imageRecord, from, disk } = request;
  const isPlain =
    mounts.every(({ kind }) => kind === "memory") &&
    imageRecord === undefined &&
    from === undefined &&
    disk === undefined;
  return isPlain ? JSON.stringify(request) : undefined;
}
