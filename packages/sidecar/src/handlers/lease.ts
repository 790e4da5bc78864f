import type { Handlers } from "@agentos/protocol";

import type { HandlerContext } from "./handler-context.ts";

/** Leases. */
export function leaseHandlers({ host, holder }: HandlerContext): Handlers {
  return {
    "lease.release": async (params) => {
      await host.release(holder, params);
      return {};
    },
    "lease.resume": (params, { signal }) => host.resume(holder, params, signal),
  };
}
