import type { VmRecord } from "@agentos/core";
import * as z from "zod";

/** A snapshot as the next life of the sidecar finds it. */
export interface StoredSnapshot {
  /** Unique across users. */
  readonly key: string;
  readonly user: string;
  readonly snapshotId: string;
  readonly name: string | undefined;
  readonly vmId: string;
  readonly vmName: string | undefined;
  readonly driver: string;
  readonly image: string;
  readonly record: VmRecord;
  readonly createdAt: string;
}

/** The files of a named VM, which outlive it. */
export interface StoredDisk {
  readonly user: string;
  readonly name: string;
  readonly driver: string;
  readonly image: string;
  readonly record: VmRecord;
}

/** A root filesystem that a user has given. */
export interface StoredImage {
  readonly user: string;
  readonly name: string;
  readonly driver: string;
  readonly source: string;
  readonly record: VmRecord;
  readonly createdAt: string;
}

const Text = z.string().transform((text) => JSON.parse(text));
const Record = Text.pipe(
  z.record(
    z.string(),
    z.union([z.string(), z.number(), z.boolean(), z.array(z.string()).readonly()]),
  ),
);

const SnapshotRow = z.object({
  key: z.string(),
  user: z.string(),
  snapshot_id: z.string(),
  name: z.string().nullable(),
  vm_id: z.string(),
  vm_name: z.string().nullable(),
  driver: z.string(),
  image: z.string(),
  record: Record,
  created_at: z.string(),
});

const ImageRow = z.object({
  user: z.string(),
  name: z.string(),
  driver: z.string(),
  source: z.string(),
  record: Record,
  created_at: z.string(),
});

const DiskRow = z.object({
  user: z.string(),
  name: z.string(),
  driver: z.string(),
  image: z.string(),
  record: Record,
});

/** Throws where a column holds what no version wrote. */
export function readStoredSnapshot(row: unknown): StoredSnapshot {
  const columns = SnapshotRow.parse(row);
  const { key, user, driver, image, record } = columns;
  return {
    key,
    user,
    driver,
    image,
    record,
    snapshotId: columns.snapshot_id,
    name: columns.name ?? undefined,
    vmId: columns.vm_id,
    vmName: columns.vm_name ?? undefined,
    createdAt: columns.created_at,
  };
}

/** Throws where a column holds what no version wrote. */
export function readStoredDisk(row: unknown): StoredDisk {
  return DiskRow.parse(row);
}

/** Throws where a column holds what no version wrote. */
export function readStoredImage(row: unknown): StoredImage {
  const { created_at: createdAt, ...rest } = ImageRow.parse(row);
  return { ...rest, createdAt };
}
