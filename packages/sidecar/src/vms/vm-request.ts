import type { VmRecord, VmRequest } from "@agentos/core";
import { DEFAULTS, type LimitName, type VmSpec } from "@agentos/protocol";

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
  return {
    vmId: key,
    image: files.image ?? spec.image ?? "host",
    mounts: spec.mounts ?? [],
    limits: { ...DEFAULT_LIMITS, ...definedOf(wanted) },
    requiredLimits: require.filter((name) => name !== "wallMs"),
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

/** Without those that were not said. */
export function definedOf(
  limits: Partial<Record<LimitName, number | undefined>>,
): Partial<Record<LimitName, number>> {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}
