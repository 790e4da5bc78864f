import type { ProcessRequest, VmRequest } from "@agentos/core";

import { FakeDriver, type FakeDriverOptions } from "../src/fake-driver.ts";
import type { FakeVm } from "../src/fake-vm.ts";

/** A complete request for a VM. */
export function vmRequest(changes: Partial<VmRequest> = {}): VmRequest {
  return {
    vmId: "vm-1",
    image: "host",
    mounts: [],
    limits: {},
    requiredLimits: [],
    network: { egress: "none" },
    security: "standard",
    ...changes,
  };
}

/** A complete request for a process. */
export function processRequest(
  argv: readonly string[],
  changes: Partial<ProcessRequest> = {},
): ProcessRequest {
  return {
    processId: "p-1",
    argv,
    cwd: "/workspace",
    env: {},
    stdin: "none",
    output: "piped",
    windowBytes: 4096,
    ...changes,
  };
}

export async function startVm(options: FakeDriverOptions = {}): Promise<FakeVm> {
  const { signal } = new AbortController();
  return await new FakeDriver(options).create(vmRequest(), { signal });
}
