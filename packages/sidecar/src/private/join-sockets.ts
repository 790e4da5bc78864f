import type { Duplex } from "node:stream";

/** Carries bytes both ways until both have ended. What breaks one breaks the other. */
export function joinSockets(left: Duplex, right: Duplex): void {
  for (const [from, to] of [
    [left, right],
    [right, left],
  ] as const) {
    from.on("error", () => to.destroy());
    from.once("close", () => {
      if (!from.readableEnded || !from.writableFinished) to.destroy();
    });
    from.pipe(to);
  }
}
