import { fileURLToPath } from "node:url";

import { AgentStore } from "@agentos/client";

/** Kept between runs: the agents are hundreds of megabytes. */
export const STATE_DIRECTORY = fileURLToPath(
  new URL("../../../../../node_modules/.cache/agentos-agents", import.meta.url),
);

/** The version of this build, installed where it is not; resolves with it. */
export async function installAgent(agent: string): Promise<string> {
  const store = new AgentStore({ stateDirectory: STATE_DIRECTORY });
  const { version } = await store.install(agent);
  return version;
}
