import type { Handlers } from "@agentos/protocol";

/** The same handlers, each asking first whether it may be called. */
export function gated(handlers: Handlers, assertOpen: () => void): Handlers {
  return new Proxy(handlers, {
    get: (target, name) => {
      const handler: unknown = Reflect.get(target, name);
      if (typeof handler !== "function") return handler;
      return (...call: unknown[]): unknown => {
        assertOpen();
        return Reflect.apply(handler, undefined, call);
      };
    },
  });
}
