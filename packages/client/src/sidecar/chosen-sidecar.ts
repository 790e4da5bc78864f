import { sidecarCore } from "./agent-os-sidecar.ts";
import { sharedSidecar } from "./shared-sidecars.ts";
import type { SidecarCore } from "./sidecar-core.ts";

/** What a call works with: the handle that it was given, or the pool's. */
export function chosenSidecar(pool: string | undefined, sidecar: unknown): SidecarCore {
  return sidecar === undefined ? sharedSidecar(pool) : sidecarCore(sidecar);
}
