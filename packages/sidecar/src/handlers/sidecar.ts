import { AgentOsError, type Handlers } from "@agentos/protocol";

import { OWNER_USER } from "../keys/api-keys.ts";
import type { HandlerContext } from "./handler-context.ts";

/** The sidecar itself. Its life is its owner's to decide: it hosts other users' VMs too. */
export function sidecarHandlers({ control, holder }: HandlerContext): Handlers {
  const assertOwner = (method: string): void => {
    if (holder.user === OWNER_USER) return;
    const { user } = holder;
    const message = `${method} needs a key of the sidecar's owner, this one speaks for ${user}`;
    throw new AgentOsError("FORBIDDEN", message, { operation: method, user });
  };
  return {
    "sidecar.info": () => control.info(holder.user),
    "sidecar.keep": ({ keep }) => {
      assertOwner("sidecar.keep");
      control.keep(keep);
      return {};
    },
    "sidecar.shutdown": () => {
      assertOwner("sidecar.shutdown");
      // After the answer has left.
      setImmediate(() => control.shutdown("asked to"));
      return {};
    },
  };
}
