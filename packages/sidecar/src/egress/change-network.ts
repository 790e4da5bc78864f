import type { VmHandle } from "@agentos/core";
import type { NetworkPolicy } from "@agentos/protocol";

import type { Store } from "../store/store.ts";
import type { Vm } from "../vms/vm.ts";

/** Sets what a VM's programs may reach, now and in later lives of the sidecar, or nothing changes. */
export async function changeNetwork(
  vm: Vm,
  handle: VmHandle,
  policy: NetworkPolicy,
  store: Pick<Store, "setNetwork">,
): Promise<void> {
  const before = vm.egress.policy;
  await vm.egress.apply(handle, policy);
  try {
    store.setNetwork(vm.facts.key, policy);
  } catch (error) {
    await vm.egress.apply(handle, before);
    throw error;
  }
}
