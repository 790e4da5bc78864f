import { totalmem } from "node:os";

import type { VmHandle, VmRequest } from "@agentos/core";
import type { DriverLimitName } from "@agentos/protocol";

import type { InsideView } from "./vm-config.ts";

/** What programs of the VM are told of the machine: only limits that hold. */
export function insideView({ security }: VmRequest, limits: VmHandle["limits"]): InsideView {
  const { cpus, memoryBytes } = limits;
  return { profile: security, cpus: heldValue(cpus), memoryBytes: heldMemory(memoryBytes) };
}

function heldValue({
  value,
  enforcement,
}: VmHandle["limits"][DriverLimitName]): number | undefined {
  return enforcement === "hard" && value !== null ? value : undefined;
}

/** Undefined where the VM has the machine's memory to itself. */
function heldMemory(limit: VmHandle["limits"]["memoryBytes"]): number | undefined {
  const value = heldValue(limit);
  return value === undefined || value >= totalmem() ? undefined : value;
}
