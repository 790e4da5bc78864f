import type { SessionVm, VmHandle } from "@agentos/core";
import { AgentOsError } from "@agentos/protocol";

/** A hold on a VM that nobody ends or takes over. It has no way out unless one is given. */
export function fakeSessionVm(
  vm: VmHandle,
  more: Partial<Pick<SessionVm, "hostMounts" | "egress">> = {},
): SessionVm {
  return {
    vmId: vm.vmId,
    driver: "fake",
    environment: vm.environment,
    hostMounts: [],
    handle: () => vm,
    egress: () => {
      throw new AgentOsError("UNSUPPORTED", "this VM has no network", { what: "a network" });
    },
    running: Promise.resolve(),
    claim: () => undefined,
    ended: new Promise(() => undefined),
    fenced: new Promise(() => undefined),
    release: () => undefined,
    ...more,
  };
}
