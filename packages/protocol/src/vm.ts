import * as z from "zod";

import { NetworkPolicy } from "./network-policy.ts";
import { Fence, HostPath, Id, VmId, VmName, VmPath } from "./ids.ts";

/** `linux` isolates by namespaces, `virtual` is no security boundary; `auto` never picks `virtual`. */
const DriverChoice = z.string().min(1).max(64);

/** How far a limit holds on this machine, found by trying. */
export const Enforcement = z.enum(["hard", "soft", "none"]);
export type Enforcement = z.infer<typeof Enforcement>;

/** What a driver holds, and the time, which the sidecar holds for all of them. */
export const DRIVER_LIMIT_NAMES = [
  "memoryBytes",
  "cpus",
  "pids",
  "diskBytes",
  "openFiles",
  "watches",
  "wallMs",
] as const;
export type DriverLimitName = (typeof DRIVER_LIMIT_NAMES)[number];

/** What the sidecar holds, whatever the driver: it all passes through it. */
export const SIDECAR_LIMIT_NAMES = [
  "networkConnections",
  "networkBytes",
  "outputBytes",
  "outputRate",
  "terminals",
] as const;
export type SidecarLimitName = (typeof SIDECAR_LIMIT_NAMES)[number];

export const LimitName = z.enum([...DRIVER_LIMIT_NAMES, ...SIDECAR_LIMIT_NAMES]);
export type LimitName = z.infer<typeof LimitName>;

export function isSidecarLimit(name: LimitName): name is SidecarLimitName {
  return SIDECAR_LIMIT_NAMES.some((each) => each === name);
}

/** What the interpreter of a virtual VM allows one script. Fixed: nobody sets them. */
export const SCRIPT_LIMIT_NAMES = [
  "scriptCommands",
  "scriptIterations",
  "scriptDepth",
  "scriptElements",
  "scriptTextBytes",
  "scriptInputBytes",
  "scriptOutputBytes",
] as const;
export type ScriptLimitName = (typeof SCRIPT_LIMIT_NAMES)[number];

/** A limit that something came up against. */
export const ReachedLimitName = z.enum([...LimitName.options, ...SCRIPT_LIMIT_NAMES]);
export type ReachedLimitName = z.infer<typeof ReachedLimitName>;

/** An object with a field per limit of a driver. A newer peer's further limits are ignored. */
export function perDriverLimit<T extends z.ZodType>(
  field: T,
): z.ZodObject<Record<DriverLimitName, T>> {
  return z.object({
    memoryBytes: field,
    cpus: field,
    pids: field,
    diskBytes: field,
    openFiles: field,
    watches: field,
    wallMs: field,
  });
}

/** What a VM may use. Unknown limits are refused: ignoring one would fail open. */
export const Limits = z.strictObject({
  memoryBytes: z
    .int()
    .min(16 * 1024 * 1024)
    .optional(),
  cpus: z.number().min(0.01).max(4096).optional(),
  pids: z.int().min(1).max(4_194_304).optional(),
  diskBytes: z
    .int()
    .min(1024 * 1024)
    .optional(),
  openFiles: z.int().min(16).max(1_048_576).optional(),
  /** Files and directories that all its programs watch with inotify. */
  watches: z.int().min(1).max(0x7fff_ffff).optional(),
  wallMs: z.int().min(1).optional(),
  /** Connections out of it, at once; and as many with VMs of its private network. */
  networkConnections: z.int().min(0).max(4_096).optional(),
  /** Sent to and received from hosts of its network policy, in all. */
  networkBytes: z.int().min(1).optional(),
  /** What is read of its processes, terminals and logs, in all. */
  outputBytes: z.int().min(1).optional(),
  /** The same, in bytes per second. */
  outputRate: z.int().min(4_096).optional(),
  /** That run at once. */
  terminals: z.int().min(0).max(256).optional(),
  /** These limits must be hard, or the VM is refused with `UNSUPPORTED_LIMIT`. */
  require: z.array(LimitName).optional(),
});
export type Limits = z.infer<typeof Limits>;

/** What a live VM's limits are changed to. */
export const LimitChanges = Limits.omit({ require: true });
export type LimitChanges = z.infer<typeof LimitChanges>;

const HostMount = z.strictObject({
  kind: z.literal("host"),
  source: HostPath,
  target: VmPath,
  /** Default true. */
  readOnly: z.boolean().optional(),
  /** Mount a root-owned directory read-write through an id map. Default false. */
  mapOwner: z.boolean().optional(),
});

const MemoryMount = z.strictObject({
  kind: z.literal("memory"),
  target: VmPath,
  /** Default 64 MiB. */
  sizeBytes: z.int().min(4096).optional(),
});

export const Mount = z.discriminatedUnion("kind", [HostMount, MemoryMount]);
export type Mount = z.infer<typeof Mount>;

/** `standard`: what programs need. `debug`: they may also trace one another, as `strace` and `gdb` do. */
export const SecurityProfile = z.enum(["standard", "debug"]);
export type SecurityProfile = z.infer<typeof SecurityProfile>;

export const Security = z.strictObject({
  /** Default `standard`. */
  profile: SecurityProfile.optional(),
});
export type Security = z.infer<typeof Security>;

// A record drops this key without a word, so the variable would vanish.
const WithoutPrototype = z.custom<Record<string, string>>(
  (value) => typeof value !== "object" || value === null || !Object.hasOwn(value, "__proto__"),
  "expected no variable named __proto__",
);

/** Environment variables. Names have no `=`, and neither names nor values a NUL. */
export const Environment = WithoutPrototype.pipe(
  z.record(
    z.string().regex(/^[^=\0]+$/, "expected a name without = and NUL"),
    z.string().refine((value) => !value.includes("\0"), "expected a value without NUL"),
  ),
);

export const VmSpec = z.object({
  /** The client's id for the VM: a repeated request gives the same VM. */
  vmId: VmId,
  name: VmName.optional(),
  driver: DriverChoice.optional(),
  image: z.string().min(1).max(256).optional(),
  mounts: z.array(Mount).max(64).optional(),
  /** Added to the environment of every process of the VM. */
  env: Environment.optional(),
  limits: Limits.optional(),
  network: NetworkPolicy.optional(),
  /** A snapshot, by name or id, whose files it begins with. */
  from: z.string().min(1).max(64).optional(),
  security: Security.optional(),
});
export type VmSpec = z.infer<typeof VmSpec>;

const LimitState = z.object({
  value: z.number().nullable(),
  enforcement: Enforcement,
});

export const VmInfo = z.object({
  vmId: VmId,
  name: VmName.optional(),
  driver: z.string(),
  /** What stands between the VM and the host. */
  isolation: z.string(),
  /** What else stands there, where the machine has it: `landlock`, `landlock-scopes`. */
  walls: z.array(z.string()).optional(),
  image: z.string(),
  /** The snapshot that it began with, where that is still known. */
  from: Id.optional(),
  /** Where something is mounted in it. */
  mounts: z.array(VmPath).optional(),
  limits: perDriverLimit(LimitState).extend({
    networkConnections: LimitState,
    networkBytes: LimitState,
    outputBytes: LimitState,
    outputRate: LimitState,
    terminals: LimitState,
  }),
  network: z.object({
    egress: z.string(),
    hosts: z.array(z.string()).optional(),
    private: z.object({ network: z.string(), ports: z.array(z.int()).optional() }).optional(),
  }),
  /** Absent: of a sidecar that knows `standard` only. */
  security: z.object({ profile: z.string() }).optional(),
  sidecarId: z.string(),
  sidecarPid: z.int(),
  epoch: z.int(),
  fence: Fence,
  leases: z.int(),
  createdAt: z.string(),
});
export type VmInfo = z.infer<typeof VmInfo>;

/** What a VM uses now; `null` where it can't be known on this machine. */
export const VmStats = z.object({
  memoryBytes: z.int().nullable(),
  processes: z.int(),
  cpuMs: z.number().nullable(),
  diskBytes: z.int().nullable(),
  /** What was read of its processes, terminals and logs, since the sidecar has the VM. */
  outputBytes: z.int().optional(),
  /** Terminals that run. */
  terminals: z.int().optional(),
  /** Of connections to hosts of its network policy, since the sidecar has the VM. */
  network: z
    .object({
      connections: z.int(),
      allowed: z.int(),
      refused: z.int(),
      sentBytes: z.int(),
      receivedBytes: z.int(),
    })
    .optional(),
});
export type VmStats = z.infer<typeof VmStats>;

/** A hold on one VM. */
export const Lease = z.object({
  leaseId: Id,
  vmId: VmId,
  fence: Fence,
  /** How long the lease outlives its connection. */
  ttlMs: z.int().min(0),
});
export type Lease = z.infer<typeof Lease>;

export const LeasedVm = z.object({ lease: Lease, vm: VmInfo });
export type LeasedVm = z.infer<typeof LeasedVm>;

/** Who speaks of which VM, with which life of its lease: part of every request on a VM. */
export const VmScope = z.object({ vmId: VmId, fence: Fence });
export type VmScope = z.infer<typeof VmScope>;
