import type { Handlers } from "@agentos/protocol";

import type { HandlerContext } from "./handler-context.ts";

/** Snapshots. */
export function snapshotHandlers({ host, holder }: HandlerContext): Handlers {
  const { snapshots } = host;
  return {
    "snapshot.create": async ({ snapshotId, name, transient, ...scope }, { signal }) => {
      const { vm, handle } = host.access(holder, scope);
      return await snapshots.take(vm, handle, { snapshotId, name, transient }, signal);
    },
    "snapshot.list": () => ({ snapshots: snapshots.list(holder.user) }),
    "snapshot.remove": ({ snapshot }) => ({ snapshotId: snapshots.remove(holder.user, snapshot) }),
  };
}
