import type { VmRecord } from "@agentos/core";
import * as z from "zod";

const Layers = z
  .array(z.string().regex(/^[a-z0-9-]{1,64}$/))
  .max(64)
  .readonly();
const Keepers = z.array(z.string()).max(64).readonly();

const SnapshotRecord = z.object({
  version: z.literal(1),
  /** Topmost first. */
  layers: Layers,
  /** Of layers that may be in memory only: `LAYER SOCKET`. */
  keepers: Keepers,
  /** Root only: whose the files are. */
  hostId: z.int().min(1).optional(),
});

const DiskRecord = z.object({
  version: z.literal(1),
  /** The directory's name. */
  disk: z.string().regex(/^d-[a-z0-9]{1,60}$/),
  layers: Layers,
  keepers: Keepers,
  hostId: z.int().min(1).optional(),
});

/** Frozen layers, as a snapshot's record names them. */
export type SnapshotRecord = z.output<typeof SnapshotRecord>;
/** The directory of a VM whose files outlive it, and the layers below. */
export type DiskRecord = z.output<typeof DiskRecord>;

/** Throws for what no version wrote. */
export function readSnapshotRecord(record: VmRecord): SnapshotRecord {
  return SnapshotRecord.parse(record);
}

/** Throws for what no version wrote. */
export function readDiskRecord(record: VmRecord): DiskRecord {
  return DiskRecord.parse(record);
}

/** The record as the sidecar keeps it. */
export function recordOf({ hostId, ...rest }: SnapshotRecord | DiskRecord): VmRecord {
  return hostId === undefined ? rest : { ...rest, hostId };
}
