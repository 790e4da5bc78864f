import { Id, parseArgument, VmPath } from "@agentos/protocol";
import * as z from "zod";

import type { VmAdmin } from "../leases/vm-admin.ts";
import type { SidecarCore } from "../sidecar/sidecar-core.ts";
import { limitsOf } from "../snapshots/limits-of.ts";
import { compareFiles, type VmChange } from "./compare-files.ts";

/** What of a VM on the host's image is in its snapshots. */
const HOST_PATHS = ["/home/agent", "/tmp", "/var/tmp", "/workspace"];
/** Never a VM's own files. */
const NOT_FILES = ["/dev", "/proc", "/run", "/sys"];

export interface DiffOptions {
  /** A snapshot, by name or id. Default: what the VM began with. */
  since?: string | { readonly snapshotId: string } | undefined;
  /** Directories to look at. Default: all that a snapshot holds. */
  paths?: readonly string[] | undefined;
  /** Whether each change has its `patch`. Default false. */
  patch?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

const Options = z.strictObject({
  since: z
    .union([z.string().min(1).max(64), z.object({ snapshotId: Id })])
    .transform((since) => (typeof since === "string" ? since : since.snapshotId))
    .optional(),
  paths: z.array(VmPath).min(1).max(64).readonly().optional(),
  patch: z.boolean().optional(),
  signal: z.instanceof(AbortSignal, { error: "expected an AbortSignal" }).optional(),
});

/** What changed in a VM, by path. To be iterated as it is found, or awaited for all of it; each looks anew. */
export class VmDiff implements AsyncIterable<VmChange>, PromiseLike<VmChange[]> {
  readonly #core: SidecarCore;
  readonly #admin: VmAdmin;
  readonly #options: z.output<typeof Options>;

  constructor(core: SidecarCore, admin: VmAdmin, options: DiffOptions) {
    this.#core = core;
    this.#admin = admin;
    this.#options = parseArgument(Options, options, "options");
  }

  /** Compares with a VM of its own that begins as this one did, and goes with the loop. */
  async *[Symbol.asyncIterator](): AsyncGenerator<VmChange, void, undefined> {
    const { since, paths, patch = false, signal } = this.#options;
    const admin = this.#admin;
    const info = await admin.request("vm.info", admin.scope, { signal });
    const base = await this.#core.create(
      { driver: info.driver, image: info.image, from: since ?? info.from, limits: limitsOf(info) },
      signal,
    );
    try {
      const compared = { before: base.admin, after: admin };
      const without = new Set([...NOT_FILES, ...(info.mounts ?? [])]);
      const looked = paths ?? (info.image === "host" ? HOST_PATHS : ["/"]);
      yield* compareFiles(compared, { paths: looked, without, patch, signal });
    } finally {
      await base.dispose();
    }
  }

  // oxlint-disable-next-line unicorn/no-thenable -- A diff is awaited for all of it.
  then<A = VmChange[], B = never>(
    fulfilled?: ((changes: VmChange[]) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#all().then(fulfilled, rejected);
  }

  async #all(): Promise<VmChange[]> {
    const changes: VmChange[] = [];
    for await (const change of this) changes.push(change);
    return changes;
  }
}
