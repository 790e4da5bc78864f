import {
  AgentOsError,
  type AuthenticateResult,
  DEFAULTS,
  type Handlers,
  highestCommonVersion,
  SUPPORTED_VERSIONS,
  type VersionRange,
} from "@agentos/protocol";

import { SIDECAR_VERSION } from "../version.ts";
import type { HandlerContext } from "./handler-context.ts";

/** What a connection may ask before it is authenticated. */
export function connectionHandlers(context: HandlerContext, authenticated: () => void): Handlers {
  return {
    authenticate: ({ protocol, client }): AuthenticateResult => {
      const version = agreeOn(protocol, client);
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

function agreeOn(offered: VersionRange, client: { name: string; version: string }): number {
  const version = highestCommonVersion(offered, SUPPORTED_VERSIONS);
  if (version !== undefined) return version;
  const ranges = { offered: show(offered), supported: show(SUPPORTED_VERSIONS) };
  throw new AgentOsError(
    "VERSION_MISMATCH",
    `${client.name} ${client.version} speaks protocol ${ranges.offered}, @agentos/sidecar ${SIDECAR_VERSION} speaks ${ranges.supported}: install the same version of both, and end the older sidecar with agentos down`,
    ranges,
  );
}

function show({ min, max }: VersionRange): string {
  return min === max ? String(min) : `${min}-${max}`;
}
