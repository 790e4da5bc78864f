import type { VmRequest } from "@agentos/core";
import { DEFAULTS, type LimitName, type VmSpec } from "@agentos/protocol";

/** The complete specification for a driver. `wallMs` is not in it: the sidecar itself ends a VM at its time. */
export function vmRequestOf(spec: VmSpec, key: string): VmRequest {
  const { require = [], wallMs: _wallMs, ...wanted } = spec.limits ?? {};
  return {
    vmId: key,
    image: spec.image ?? "host",
    mounts: spec.mounts ?? [],
    limits: { ...DEFAULT_LIMITS, ...definedOf(wanted) },
    requiredLimits: require.filter((name) => name !== "wallMs"),
    network: spec.network ?? { egress: "none" },
  };
}

const DEFAULT_LIMITS = {
  memoryBytes: DEFAULTS.memoryBytes,
  pids: DEFAULTS.pids,
  diskBytes: DEFAULTS.diskBytes,
  openFiles: DEFAULTS.openFiles,
} as const;

function definedOf(
  limits: Partial<Record<LimitName, number | undefined>>,
): Partial<Record<LimitName, number>> {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}
