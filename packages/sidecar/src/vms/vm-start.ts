import type { VmDriver, VmHandle, VmRecord } from "@agentos/core";
import { AgentOsError, isAgentOsError, type NetworkPolicy } from "@agentos/protocol";

import { applyNetwork } from "../egress/change-network.ts";
import type { PrivateNetworks } from "../private/private-networks.ts";
import { type Vm, vmEnded } from "./vm.ts";
import type { DriverSet } from "./driver-set.ts";
import { vmRequestOf } from "./vm-request.ts";

export interface StartParts {
  readonly choose: () => Promise<VmDriver>;
  readonly keep: (driver: string, handle: VmHandle) => void;
  readonly disk: VmRecord | "begin" | undefined;
  readonly networks: PrivateNetworks;
  readonly deadlineMs: number;
}

export interface AdoptParts {
  readonly drivers: DriverSet;
  readonly networks: PrivateNetworks;
  readonly deadlineMs: number;
}

/**
 * Has the driver make the VM, within the deadline. What comes too late, or what `keep` throws for because it can't be
 * written down, is disposed before the slot is given back.
 */
export async function startVm(
  vm: Vm,
  { choose, keep, disk, networks, deadlineMs }: StartParts,
): Promise<{ value: void; ended: Promise<unknown> }> {
  const timer = setTimeout(() => vm.abortStart(late(deadlineMs)), deadlineMs);
  try {
    const driver = await choose();
    vm.startSignal.throwIfAborted();
    const { spec, key, image, imageRecord, from } = vm.facts;
    const request = vmRequestOf(spec, key, { image, imageRecord, from: from?.record, disk });
    const handle = await driver.create(request, { signal: vm.startSignal });
    if (vm.state !== "starting") await discard(handle, vm.startSignal.reason);
    try {
      await applyNetwork(vm, handle, vm.facts.spec.network ?? { egress: "none" }, networks);
    } catch (error) {
      await discard(handle, error);
    }
    if (vm.state !== "starting") await discard(handle, vm.startSignal.reason);
    try {
      keep(driver.name, handle);
    } catch (error) {
      await discard(handle, notKept(error));
    }
    vm.run(handle, driver.name);
    return { value: undefined, ended: handle.ended };
  } catch (error) {
    networks.leave(vm);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Has the driver take over a VM of an earlier life, within the deadline. Rejects with `VM_ENDED`, the cause being why. */
export async function adoptVm(
  vm: Vm,
  found: { driver: string; record: VmRecord | undefined; network: NetworkPolicy },
  { drivers, networks, deadlineMs }: AdoptParts,
): Promise<void> {
  const { spec, key, image, imageRecord } = vm.facts;
  const timer = setTimeout(() => vm.abortStart(notAdopted(vm)), deadlineMs);
  const signal = vm.startSignal;
  try {
    if (found.record === undefined) throw notAdopted(vm);
    const driver = await drivers.choose(found.driver);
    const adopted = await driver.adopt(
      vmRequestOf(spec, key, { image, imageRecord }),
      found.record,
      { signal },
    );
    if (vm.state !== "starting") await discard(adopted.handle, signal.reason);
    try {
      await applyNetwork(vm, adopted.handle, found.network, networks);
    } catch (error) {
      // Without its policy's doors it is not the VM that it was.
      await discard(adopted.handle, error);
    }
    if (vm.state !== "starting") await discard(adopted.handle, signal.reason);
    vm.processes.restore(adopted.processes);
    vm.attachments.restore(adopted.attachments ?? []);
    vm.run(adopted.handle, driver.name);
    if (adopted.processes.length > 0) void nameProcesses(vm, adopted.handle);
  } catch (error) {
    networks.leave(vm);
    throw notAdopted(vm, error);
  } finally {
    clearTimeout(timer);
  }
}

async function nameProcesses(vm: Vm, handle: VmHandle): Promise<void> {
  try {
    vm.processes.name((await handle.processes()).processes);
  } catch {
    // For listings only: a VM that can't say it now has them nameless.
  }
}

function notAdopted(vm: Vm, cause?: unknown): AgentOsError {
  const detail = "its sidecar was lost, and the next one could not take it over";
  const ended = vmEnded(vm.id, { reason: "died", detail });
  return new AgentOsError("VM_ENDED", ended.message, ended.details, { cause });
}

function notKept(cause: unknown): AgentOsError {
  const why = isAgentOsError(cause) ? cause.message : "an internal error";
  const details = { step: "store" };
  return new AgentOsError("VM_START_FAILED", `the VM was not kept: ${why}`, details, { cause });
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
