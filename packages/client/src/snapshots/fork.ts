import type { VmAdmin } from "../leases/vm-admin.ts";
import type { VmLease } from "../leases/vm-lease.ts";
import { type ForkOptions, parseForkCount, parseForkOptions } from "../options.ts";
import type { SidecarCore } from "../sidecar/sidecar-core.ts";
import { limitsOf } from "./limits-of.ts";
import { takeSnapshot } from "./take-snapshot.ts";

/** VMs that begin with another's files as they are now: all of them, or none. */
export async function forkVm(
  core: SidecarCore,
  admin: VmAdmin,
  count: number,
  options: ForkOptions,
): Promise<VmLease[]> {
  parseForkCount(count);
  const { signal, names, limits = limitsOf(admin.vm), ...own } = parseForkOptions(options);
  if (names !== undefined) parseForkCount(names.length, count);
  const { snapshotId } = await takeSnapshot(admin, { transient: true, signal });
  const spec = { ...own, limits, from: snapshotId };
  const made = await Promise.allSettled(
    Array.from({ length: count }, (_, at) => core.create({ ...spec, name: names?.[at] }, signal)),
  );
  // It goes by itself where this is lost.
  await core.ask("snapshot.remove", { snapshot: snapshotId }).catch(() => undefined);
  const leases = made.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const failure = made.find((each) => each.status === "rejected");
  if (failure === undefined) return leases;
  await Promise.allSettled(leases.map((lease) => lease.dispose()));
  throw failure.reason;
}
