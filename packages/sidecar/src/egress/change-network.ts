import type { VmHandle } from "@agentos/core";
import type { NetworkPolicy } from "@agentos/protocol";

import type { PrivateNetworks } from "../private/private-networks.ts";
import type { Store } from "../store/store.ts";
import type { Vm } from "../vms/vm.ts";

/** Has a policy hold, whole. */
export async function applyNetwork(
  vm: Vm,
  handle: VmHandle,
  policy: NetworkPolicy,
  networks: PrivateNetworks,
): Promise<void> {
  await vm.egress.apply(handle, policy);
  await networks.apply(vm, handle, policy);
}

/** Sets what a VM's programs may reach, now and in later lives of the sidecar, or nothing changes. */
export async function changeNetwork(
  vm: Vm,
  handle: VmHandle,
  policy: NetworkPolicy,
  { store, networks }: { store: Pick<Store, "setNetwork">; networks: PrivateNetworks },
): Promise<void> {
  const before = vm.egress.policy;
  try {
    await applyNetwork(vm, handle, policy, networks);
    store.setNetwork(vm.facts.key, policy);
  } catch (error) {
    await applyNetwork(vm, handle, before, networks);
    throw error;
  }
}
