import type { Handlers } from "@agentos/protocol";

import { runningTerminals } from "../vms/hosted-terminal.ts";
import type { HandlerContext } from "./handler-context.ts";

/** VMs. */
export function vmHandlers({ host, holder }: HandlerContext): Handlers {
  return {
    "vm.create": (params, { signal }) => host.create(holder, params, signal),
    "vm.attach": (params, { signal }) => host.attach(holder, params, signal),
    "vm.end": (params, { signal }) => host.end(holder, params, signal),
    "vm.list": async () => ({ vms: await host.list(holder.user) }),
    "vm.info": (scope) => host.info(holder, scope),
    "vm.setLimits": ({ limits, ...scope }) => host.setLimits(holder, scope, limits),
    "vm.stats": async (scope) => {
      const { vm, handle } = host.access(holder, scope);
      const { bytes: outputBytes } = vm.output;
      const terminals = runningTerminals(vm);
      const use = await handle.stats();
      return { ...use, outputBytes, terminals, network: vm.egress.gate.use };
    },
    "vm.setNetwork": (params) => host.setNetwork(holder, params),
    "vm.processes": (scope) => host.access(holder, scope).handle.processes(),
  };
}
