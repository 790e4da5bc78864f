import type { VmHandle, VmNetwork } from "@agentos/core";
import { AgentOsError, DEFAULTS, type Handlers } from "@agentos/protocol";

import type { HandlerContext } from "./handler-context.ts";

/** Connections to programs of a VM. */
export function networkHandlers({ host, holder, streams }: HandlerContext): Handlers {
  return {
    "network.connect": async (params, { signal }) => {
      const { vm, handle } = host.access(holder, params);
      const network = networkOf(handle);
      const link = streams.open({
        number: params.stream,
        vmKey: vm.facts.key,
        windowBytes: DEFAULTS.streamWindowBytes,
        kind: "connection",
      });
      try {
        link.attach(await network.connect({ port: params.port }, link, { signal }));
        return {};
      } catch (error) {
        link.close();
        throw error;
      }
    },
  };
}

/** Throws `UNSUPPORTED` where the VM's driver has none. */
function networkOf(handle: VmHandle): VmNetwork {
  if (handle.network !== undefined) return handle.network;
  throw new AgentOsError("UNSUPPORTED", `a VM of ${handle.isolation} has no network`, {
    what: "a network",
    instead: 'Use a VM of the driver "linux".',
  });
}
