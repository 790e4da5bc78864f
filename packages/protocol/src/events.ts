import * as z from "zod";

import { Id, VmId } from "./ids.ts";
import { NetworkDecision } from "./network-policy.ts";
import { ProcessExit } from "./process.ts";
import { LimitName, ReachedLimitName } from "./vm.ts";

/** Why a VM is gone. */
export const VmEndReason = z.enum(["released", "expired", "ended", "died", "shutdown"]);
export type VmEndReason = z.infer<typeof VmEndReason>;

/** Every event that a sidecar sends, to the connections that hold a lease on what it is about. */
export const EVENTS = {
  "process.exited": {
    summary: "A spawned process ended.",
    data: ProcessExit.extend({ vmId: VmId }),
  },
  "vm.ended": {
    summary: "A leased VM is gone.",
    data: z.object({ vmId: VmId, reason: VmEndReason, detail: z.string().optional() }),
  },
  "lease.fenced": {
    summary: "A takeover made this connection's lease on the VM worthless.",
    data: z.object({ vmId: VmId, leaseId: Id, currentFence: z.int() }),
  },
  "vm.limit": {
    summary: "A VM hit one of its limits.",
    data: z.object({ vmId: VmId, limit: ReachedLimitName, value: z.number() }),
  },
  "vm.limitNear": {
    summary: "A VM uses more than four fifths of one of its limits.",
    data: z.object({ vmId: VmId, limit: LimitName, value: z.number(), used: z.number() }),
  },
  "vm.network": {
    summary:
      "Whether a connection that a program of a VM asked for was let through. `untold`: of those before it, as many were not told.",
    data: NetworkDecision.extend({ vmId: VmId }),
  },
  "sidecar.closing": {
    summary: "The sidecar ends; its VMs end with it.",
    data: z.object({ reason: z.string() }),
  },
} as const satisfies Record<string, { summary: string; data: z.ZodType }>;

export type EventName = keyof typeof EVENTS;
export type EventData<E extends EventName> = z.output<(typeof EVENTS)[E]["data"]>;

/** Whether `value` names an event of this build. */
export function isEventName(value: string): value is EventName {
  return Object.hasOwn(EVENTS, value);
}
