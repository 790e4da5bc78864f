import type { Handlers } from "@agentos/protocol";

import type { HandlerContext } from "./handler-context.ts";

/** Images. */
export function imageHandlers({ host, holder }: HandlerContext): Handlers {
  const { images } = host;
  return {
    "image.add": (params) => images.add(holder.user, params),
    "image.list": () => ({ images: images.list(holder.user) }),
    "image.remove": ({ name }) => {
      images.remove(holder.user, name);
      return {};
    },
  };
}
