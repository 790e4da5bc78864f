import {
  AgentOsError,
  type AuthenticateResult,
  DEFAULTS,
  type Handlers,
  highestCommonVersion,
  SUPPORTED_VERSIONS,
  type VersionRange,
} from "@agentos/protocol";

import type { HandlerContext } from "./handler-context.ts";

/** What a connection may ask before it is authenticated. */
export function connectionHandlers(context: HandlerContext, authenticated: () => void): Handlers {
  return {
    authenticate: ({ protocol }): AuthenticateResult => {
      const version = agreeOn(protocol);
      authenticated();
      return {
        connectionId: context.holder.id,
        sidecarId: context.control.sidecarId,
        epoch: context.control.epoch,
        protocol: version,
        maxFrameBytes: DEFAULTS.maxFrameBytes,
        heartbeatMs: DEFAULTS.heartbeatMs,
        capabilities: [],
      };
    },
    ping: () => ({}),
  };
}

function agreeOn(offered: VersionRange): number {
  const version = highestCommonVersion(offered, SUPPORTED_VERSIONS);
  if (version !== undefined) return version;
  const ranges = { offered: show(offered), supported: show(SUPPORTED_VERSIONS) };
  throw new AgentOsError(
    "VERSION_MISMATCH",
    `no common protocol version: offered ${ranges.offered}, supported ${ranges.supported}`,
    ranges,
  );
}

function show({ min, max }: VersionRange): string {
  return min === max ? String(min) : `${min}-${max}`;
}
