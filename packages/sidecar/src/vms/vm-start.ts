import type { VmDriver, VmHandle } from "@agentos/core";
import { AgentOsError } from "@agentos/protocol";

import type { Vm } from "./vm.ts";
import { vmRequestOf } from "./vm-request.ts";

/** Has the driver make the VM, within the deadline. What comes too late is disposed before the slot is given back. */
export async function startVm(
  vm: Vm,
  choose: () => Promise<VmDriver>,
  deadlineMs: number,
): Promise<{ value: void; ended: Promise<unknown> }> {
  const timer = setTimeout(() => vm.abortStart(late(deadlineMs)), deadlineMs);
  try {
    const driver = await choose();
    vm.startSignal.throwIfAborted();
    const handle = await driver.create(vmRequestOf(vm.facts.spec, vm.facts.key), {
      signal: vm.startSignal,
    });
    if (vm.state !== "starting") await discard(handle, vm.startSignal.reason);
    vm.run(handle, driver.name);
    return { value: undefined, ended: handle.ended };
  } finally {
    clearTimeout(timer);
  }
}

async function discard(handle: VmHandle, reason: unknown): Promise<never> {
  await handle[Symbol.asyncDispose]();
  throw reason;
}

function late(deadlineMs: number): AgentOsError {
  return new AgentOsError(
    "DEADLINE_EXCEEDED",
    `vm.create: the VM was not ready within ${deadlineMs} ms`,
    {
      operation: "vm.create",
      deadlineMs,
    },
  );
}
