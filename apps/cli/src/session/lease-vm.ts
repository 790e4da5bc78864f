import { AgentOs, isAgentOsError } from "@agentos/client";

/** The VM named, made where there is none; without a name one that ends with this command. */
export async function leaseVm(
  pool: string | undefined,
  name: string | undefined,
  signal: AbortSignal,
): Promise<AgentOs> {
  if (name === undefined) return await AgentOs.create({ pool, signal });
  try {
    return await AgentOs.attach(name, { pool, signal });
  } catch (error) {
    if (!isAgentOsError(error, "NOT_FOUND")) throw error;
    return await AgentOs.create({ pool, name, signal });
  }
}
