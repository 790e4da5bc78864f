import type { Handlers } from "@agentos/protocol";

import type { HandlerContext } from "./handler-context.ts";

/** API keys. */
export function keyHandlers({ keys, key, holder }: HandlerContext): Handlers {
  return {
    "key.create": (params) => {
      const created = keys.create(key, params);
      return { keyId: created.key.keyId, apiKey: created.apiKey, user: created.key.user };
    },
    "key.revoke": ({ keyId }) => {
      // The caller's own connection ends with its key, but not before the answer has left.
      if (keyId === key.keyId) setImmediate(() => keys.revoke(holder.user, keyId));
      else keys.revoke(holder.user, keyId);
      return {};
    },
  };
}
