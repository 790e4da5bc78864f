import * as z from "zod";

import { Fence, Id, VmId } from "./ids.ts";
import { Nothing } from "./nothing.ts";
import { ProcessInfo } from "./process.ts";
import { LimitChanges, Lease, LeasedVm, VmInfo, VmScope, VmSpec, VmStats } from "./vm.ts";

/** The methods about VMs and the leases on them; a part of METHODS. */
export const VM_METHODS = {
  "vm.create": {
    scope: "user",
    summary: "Make a VM and lease it. The same vmId again gives the same VM.",
    params: VmSpec.extend({ leaseId: Id }),
    result: LeasedVm,
  },
  "vm.attach": {
    scope: "user",
    summary: "Another lease on a VM by id or name: shared (same fence) or takeover (fence + 1).",
    params: z.object({
      vm: z.string().min(1).max(64),
      leaseId: Id,
      mode: z.enum(["shared", "takeover"]),
    }),
    result: LeasedVm,
  },
  "vm.end": {
    scope: "user",
    summary:
      "End a VM by id or name, with its files, whoever holds it. With a fence: only where that is current. Ended already: nothing happens.",
    params: z.object({ vm: z.string().min(1).max(64), fence: Fence.optional() }),
    /** `ended` false: it had ended before. */
    result: z.object({ vmId: VmId, ended: z.boolean() }),
  },
  "vm.list": {
    scope: "user",
    summary: "The user's VMs.",
    params: Nothing,
    result: z.object({ vms: z.array(VmInfo) }),
  },
  "vm.info": {
    scope: "vm",
    summary: "One VM.",
    params: VmScope,
    result: VmInfo,
  },
  "vm.stats": {
    scope: "vm",
    summary: "What the VM uses now.",
    params: VmScope,
    result: VmStats,
  },
  "vm.setLimits": {
    scope: "vm",
    summary:
      "Change limits of the live VM: all of these, or none. What can't be changed is UNSUPPORTED_LIMIT, by name.",
    params: VmScope.extend({ limits: LimitChanges }),
    result: VmInfo,
  },
  "vm.processes": {
    scope: "vm",
    summary: "Every process in the VM.",
    params: VmScope,
    result: z.object({ processes: z.array(ProcessInfo), truncated: z.boolean() }),
  },
  "lease.release": {
    scope: "lease",
    summary: "Give a lease back. With the last one an unnamed VM ends.",
    params: z.object({ leaseId: Id, vmId: VmId }),
    result: Nothing,
  },
  "lease.resume": {
    scope: "user",
    summary: "Hold a lease of a lost connection on this one.",
    params: z.object({ leaseId: Id, vmId: VmId, fence: Fence }),
    result: Lease,
  },
} as const;
