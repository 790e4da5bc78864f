import type { VmRecord, VmRequest } from "@agentos/core";
import {
  DEFAULTS,
  DRIVER_LIMIT_NAMES,
  type DriverLimitName,
  isSidecarLimit,
  type LimitName,
  type VmSpec,
} from "@agentos/protocol";

import { checkHeldLimits } from "./held-limits.ts";

/** The complete specification for a driver. `wallMs` is not in it: the sidecar itself ends a VM at its time. */
export function vmRequestOf(
  spec: VmSpec,
  key: string,
  files: {
    image?: string;
    imageRecord?: VmRecord | undefined;
    from?: VmRecord | undefined;
    disk?: VmRecord | "begin" | undefined;
  } = {},
): VmRequest {
  const { require = [], wallMs: _wallMs, ...wanted } = spec.limits ?? {};
  checkHeldLimits(require);
  return {
    vmId: key,
    image: files.image ?? spec.image ?? "host",
    mounts: spec.mounts ?? [],
    limits: { ...DEFAULT_LIMITS, ...driverLimits(wanted) },
    requiredLimits: require
      .filter((name) => !isSidecarLimit(name))
      .filter((name) => name !== "wallMs"),
    network: spec.network ?? { egress: "none" },
    ...(files.imageRecord === undefined ? {} : { imageRecord: files.imageRecord }),
    ...(files.from === undefined ? {} : { from: files.from }),
    ...(files.disk === undefined ? {} : { disk: files.disk }),
    security: spec.security?.profile ?? "standard",
  };
}

const DEFAULT_LIMITS = {
  memoryBytes: DEFAULTS.memoryBytes,
  pids: DEFAULTS.pids,
  diskBytes: DEFAULTS.diskBytes,
  openFiles: DEFAULTS.openFiles,
  watches: DEFAULTS.watches,
} as const;

/** Those of a driver that were said. */
export function driverLimits(
  limits: Partial<Record<LimitName, number | undefined>>,
): Partial<Record<DriverLimitName, number>> {
  const said = DRIVER_LIMIT_NAMES.map((name) => [name, limits[name]] as const);
  return Object.fromEntries(said.filter(([, value]) => value !== undefined));
}
