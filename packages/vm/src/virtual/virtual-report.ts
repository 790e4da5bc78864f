import type { DriverReport } from "@agentos/protocol";

import { VIRTUAL_LIMITS } from "./virtual-limits.ts";

/** What stands between a virtual VM and the host, as `info()` says it. */
export const VIRTUAL_ISOLATION = "none: an interpreter in the sidecar, no security boundary";

/** The report of a machine on which the driver works, or meets an obstacle. */
export function virtualReport(obstacle?: { reason: string; remedy?: string }): DriverReport {
  return {
    driver: "virtual",
    available: obstacle === undefined,
    isolation: VIRTUAL_ISOLATION,
    limits: { ...VIRTUAL_LIMITS },
    ...obstacle,
  };
}
