import { existsSync } from "node:fs";
import { join } from "node:path";

import { type StartRequest, SUPPORTED_VERSIONS } from "@agentos/protocol";

import { agentsDirectory } from "../agents/agent-store.ts";
import { clientName } from "../connection/client-name.ts";
import { stateDirectory } from "./runtime-directory.ts";
import type { SidecarConfiguration } from "./sidecar-configuration.ts";

/** What a new sidecar is told. Only what was set is said; the rest are the sidecar's defaults. */
export function startRequest(
  configuration: SidecarConfiguration,
  identity: Pick<StartRequest, "sidecarId" | "stateDirectory" | "runtimeDirectory" | "pool">,
): StartRequest {
  const { idleMs, leaseGraceMs, maxVms, waitingCreates, waitingCreateMs, warmPoolSize } =
    configuration;
  const { maxSessions, transcriptBytes } = configuration;
  return {
    protocol: SUPPORTED_VERSIONS,
    client: clientName(),
    ...identity,
    agentsDirectory: agentsDirectory(configuration.stateDirectory),
    ...pricesFile(configuration),
    ...(idleMs === undefined ? {} : { idleMs }),
    ...(leaseGraceMs === undefined ? {} : { leaseGraceMs }),
    ...(maxVms === undefined ? {} : { maxVms }),
    ...(waitingCreates === undefined ? {} : { waitingCreates }),
    ...(waitingCreateMs === undefined ? {} : { waitingCreateMs }),
    ...(warmPoolSize === undefined ? {} : { warmPoolSize }),
    ...(maxSessions === undefined ? {} : { maxSessions }),
    ...(transcriptBytes === undefined ? {} : { transcriptBytes }),
  };
}

function pricesFile(configuration: SidecarConfiguration): Pick<StartRequest, "pricesFile"> {
  const usual = join(stateDirectory(configuration.stateDirectory), "prices.json");
  const path = configuration.pricesFile ?? (existsSync(usual) ? usual : undefined);
  return path === undefined ? {} : { pricesFile: path };
}
