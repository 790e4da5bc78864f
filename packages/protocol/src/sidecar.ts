import * as z from "zod";

import { Enforcement, perDriverLimit } from "./vm.ts";

/** What a driver can do on this machine, found by trying. */
export const DriverReport = z.object({
  driver: z.string(),
  available: z.boolean(),
  isolation: z.string(),
  /** What else stands between a VM and the host, where this machine has it: `landlock`, `landlock-scopes`. */
  walls: z.array(z.string()).optional(),
  /** Why not, and what to do about it. */
  reason: z.string().optional(),
  remedy: z.string().optional(),
  limits: perDriverLimit(Enforcement),
});
export type DriverReport = z.infer<typeof DriverReport>;

export const SidecarInfo = z.object({
  sidecarId: z.string(),
  version: z.string(),
  pid: z.int(),
  epoch: z.int().min(1),
  pool: z.string().optional(),
  startedAt: z.string(),
  keep: z.boolean(),
  vms: z.int(),
  leases: z.int(),
  connections: z.int(),
  drivers: z.array(DriverReport),
  /** As much as all transcripts of one user may have. */
  transcriptBytes: z.int(),
});
export type SidecarInfo = z.infer<typeof SidecarInfo>;

/** A sidecar handle's life, in this order. */
export const SIDECAR_STATES = ["ready", "disposing", "disposed"] as const;
export const SidecarState = z.enum(SIDECAR_STATES);
export type SidecarState = z.infer<typeof SidecarState>;

/** Where a sidecar lives. */
export const Placement = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("shared"), pool: z.string().max(256).optional() }),
  z.strictObject({ kind: z.literal("explicit"), sidecarId: z.string().min(1).max(256) }),
]);
export type Placement = z.infer<typeof Placement>;

export const SidecarDescription = z.object({
  sidecarId: z.string(),
  placement: Placement,
  state: SidecarState,
  activeVmCount: z.int().min(0),
});
export type SidecarDescription = z.infer<typeof SidecarDescription>;
