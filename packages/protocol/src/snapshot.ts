import * as z from "zod";

import { Id, VmId, VmName } from "./ids.ts";
import { VmScope } from "./vm.ts";

/** A snapshot by its name or id. */
export const SnapshotRef = z.string().min(1).max(64);

export const SnapshotCreate = VmScope.extend({
  /** The client's: a repeated request gives the same snapshot. */
  snapshotId: Id,
  name: VmName.optional(),
  /** Only for the VMs that are made of it right away: it is not listed, and goes by itself. */
  transient: z.boolean().optional(),
});

/** Frozen files of a VM. */
export const SnapshotInfo = z.object({
  snapshotId: Id,
  name: VmName.optional(),
  /** The VM that it was taken of. */
  vmId: VmId,
  vmName: VmName.optional(),
  driver: z.string(),
  image: z.string(),
  createdAt: z.string(),
  /** Whether it outlives its sidecar already: until then it is being copied. */
  settled: z.boolean(),
  /** VMs that started from it and live. */
  vms: z.array(VmId),
});
export type SnapshotInfo = z.infer<typeof SnapshotInfo>;
