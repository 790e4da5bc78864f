import type { RuntimeHost, RuntimeSession } from "@agentos/core";
import { isAgentOsError } from "@agentos/protocol";

type State = RuntimeHost["state"];

/**
 * Goes on with a conversation of the agent's own. One that was killed before its agent had answered anything may
 * be nowhere on its disk, and has nothing to lose: it begins anew. Rejects as `open` does.
 */
export async function openConversation<T extends RuntimeSession>(
  state: State,
  agentSessionId: string | undefined,
  open: (agentSessionId: string | undefined) => Promise<T>,
): Promise<T> {
  try {
    return await open(agentSessionId);
  } catch (error) {
    const isEmpty = agentSessionId !== undefined && state.load().length === 0;
    if (!isEmpty || !isAgentOsError(error, "RESUME_LOST")) throw error;
    return await open(undefined);
  }
}

/** The agent has answered: from now on there is something to lose. */
export function answered(state: State): void {
  if (state.load().length === 0) state.append([{ answered: true }]);
}
