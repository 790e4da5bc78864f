import type { VmRequest } from "@agentos/core";
import { DEFAULTS, type SecurityProfile } from "@agentos/protocol";

import { FieldWriter, u32, u64, u8 } from "../link/fields.ts";
import { FIELD } from "../link/link-kinds.ts";
import type { HostImage } from "./host-image.ts";
import { meminfo } from "./meminfo.ts";
import type { CheckedMount } from "./mounts.ts";
import { VM_HOSTNAME } from "./synthetic-etc.ts";

const MIB = 1024 * 1024;
/** The root holds mount points and a few small files. */
const ROOT_BYTES = 16 * MIB;
const ROOT_INODES = 8192;
const SHM_BYTES = 64 * MIB;
const BYTES_PER_INODE = 16 * 1024;
const MIN_INODES = 16_384;
const MAX_INODES = 1024 * 1024;

const MOUNT_KIND = { readOnly: 0, readWrite: 1, memory: 2 } as const;
const MAP_OWNER = 1;
const PROFILES: Readonly<Record<SecurityProfile, number>> = { standard: 0, debug: 1 };
/** Where the VM's own account of its memory lies. */
const MEMORY_FILE = "/opt/agentos/proc/meminfo";

export interface CreateOptions {
  linkId: string;
  secret: Uint8Array;
  epoch: number;
  socketPath: string;
  hostId: number | undefined;
  adoptGraceMs: number;
  /** Directories that the VM is to be in from its first moment. */
  cgroups: readonly string[];
}

/** CREATE's payload. */
export function encodeCreate(options: CreateOptions): Uint8Array {
  const fields = new FieldWriter()
    .text(FIELD.vmId, options.linkId)
    .bytes(FIELD.secret, options.secret)
    .u64(FIELD.epoch, options.epoch)
    .text(FIELD.socketPath, options.socketPath)
    .u32(FIELD.adoptGraceMs, options.adoptGraceMs);
  if (options.hostId !== undefined) {
    fields.u32(FIELD.hostUid, options.hostId).u32(FIELD.hostGid, options.hostId);
  }
  for (const directory of options.cgroups) fields.text(FIELD.cgroup, directory);
  return fields.finish();
}

/** PREPARE's payload: what every VM on an image has in common. */
export function encodeImage(image: Pick<HostImage, "writeTo">): Uint8Array {
  const fields = new FieldWriter()
    .text(FIELD.hostname, VM_HOSTNAME)
    .u64(FIELD.rootBytes, ROOT_BYTES)
    .u64(FIELD.rootInodes, ROOT_INODES);
  image.writeTo(fields);
  return fields.finish();
}

/** Where a VM's writable files come from, as CONFIG says it. */
export interface DiskConfig {
  /** A directory of the host; undefined: in memory. */
  readonly directory: string | undefined;
  readonly generation: number;
  /** Directories, or sockets of those who hold them; topmost first. */
  readonly layers: readonly string[];
  /** What of it is seen, and where. Undefined: as on the host's image. */
  readonly parts: readonly string[] | undefined;
  /** Written on top. */
  readonly files: readonly { readonly path: string; readonly content: string }[];
}

/** How many files a disk in memory may hold. */
export function diskInodes(diskBytes: number): number {
  const inodes = Math.floor(diskBytes / BYTES_PER_INODE);
  return Math.min(MAX_INODES, Math.max(MIN_INODES, inodes));
}

/** CONFIG's payload, for a VM that has had PREPARE. */
export function encodeConfig(
  limits: VmRequest["limits"],
  mounts: readonly CheckedMount[],
  inside: InsideView,
  disk?: DiskConfig,
): Uint8Array {
  const diskBytes = limits.diskBytes ?? DEFAULTS.diskBytes;
  const fields = new FieldWriter()
    .u64(FIELD.diskBytes, diskBytes)
    .u64(FIELD.diskInodes, diskInodes(diskBytes))
    .u64(FIELD.shmBytes, Math.min(SHM_BYTES, diskBytes));
  for (const mount of mounts) writeMount(fields, mount);
  if (disk?.directory !== undefined) fields.text(FIELD.disk, disk.directory);
  if (disk !== undefined && disk.generation > 0) fields.u32(FIELD.generation, disk.generation);
  for (const layer of disk?.layers ?? []) fields.text(FIELD.layer, layer);
  for (const part of disk?.parts ?? []) fields.text(FIELD.part, part);
  for (const { path, content } of disk?.files ?? [])
    fields.pair(FIELD.file, path, content, u32(0o644));
  writeView(fields, inside);
  return fields
    .u64(FIELD.watches, limits.watches ?? DEFAULTS.watches)
    .u64(FIELD.openFiles, limits.openFiles ?? DEFAULTS.openFiles)
    .u64(FIELD.pids, limits.pids ?? DEFAULTS.pids)
    .finish();
}

/** What programs of the VM are told of the machine, and may call. */
export interface InsideView {
  readonly profile: SecurityProfile;
  /** Undefined: all that there are. */
  readonly cpus: number | undefined;
  /** Undefined: that of the machine. */
  readonly memoryBytes: number | undefined;
}

function writeView(fields: FieldWriter, { profile, cpus, memoryBytes }: InsideView): void {
  fields.u32(FIELD.profile, PROFILES[profile]);
  if (cpus !== undefined) fields.u32(FIELD.processors, Math.ceil(cpus));
  if (memoryBytes === undefined) return;
  fields.pair(FIELD.file, MEMORY_FILE, meminfo(memoryBytes), u32(0o444));
  fields.pair(FIELD.cover, MEMORY_FILE, "/proc/meminfo");
}

function writeMount(fields: FieldWriter, mount: CheckedMount): void {
  if (mount.kind === "memory") {
    const { memory } = MOUNT_KIND;
    fields.pair(FIELD.mount, "memory", mount.target, u8(memory), u8(0), u64(mount.sizeBytes));
    return;
  }
  const kind = mount.readOnly ? MOUNT_KIND.readOnly : MOUNT_KIND.readWrite;
  const flags = mount.mapOwner ? MAP_OWNER : 0;
  fields.pair(FIELD.mount, mount.source, mount.target, u8(kind), u8(flags), u64(0));
}
