import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { DiscoveryFile, isAgentOsError } from "@agentos/protocol";

import { Connection } from "../connection/connection.ts";

/** A pool's sidecar says here how to reach it. */
const DISCOVERY_FILE = "sidecar.json";

/** Connects to the sidecar that the folder speaks of; undefined where there is none or nobody answers. Only connecting tells. */
export async function discover(folder: string): Promise<Connection | undefined> {
  const endpoint = await readDiscoveryFile(join(folder, DISCOVERY_FILE));
  if (endpoint === undefined) return undefined;
  try {
    return await Connection.open(endpoint);
  } catch (error) {
    // A file of an earlier life: its socket is gone, or another sidecar has it and refuses the key.
    if (isAgentOsError(error, "CONNECTION_LOST") || isAgentOsError(error, "UNAUTHENTICATED"))
      return undefined;
    if (isAgentOsError(error, "DEADLINE_EXCEEDED")) return undefined;
    throw error;
  }
}

/** Whether the folder speaks of a sidecar, alive or not. */
export function hasDiscoveryFile(folder: string): boolean {
  return existsSync(join(folder, DISCOVERY_FILE));
}

async function readDiscoveryFile(path: string): Promise<DiscoveryFile | undefined> {
  try {
    return DiscoveryFile.safeParse(JSON.parse(await readFile(path, "utf8"))).data;
  } catch {
    // Missing, or of a sidecar that died while writing it.
    return undefined;
  }
}
