import type { AgentOs } from "@agentos/client";

import type { SessionView } from "../session/session-view.ts";
import type { DemoModel } from "./demo-model.ts";

const PROMPT = "One of this project's tests fails. Find out why, fix it, and run the tests again.";
/** What a model that goes astray may cost: calls of the model. */
const MOST_TURNS = 40;

/** A session of an agent that is asked to fix the project, watched to its end. Rejects as its turn does. */
export async function fixByAgent(
  os: AgentOs,
  model: DemoModel,
  view: SessionView,
  signal: AbortSignal,
): Promise<string> {
  await using session = await os.createSession({
    ...model.session,
    budget: { turns: MOST_TURNS },
  });
  const turn = session.prompt(PROMPT, { signal });
  for await (const event of turn) await view.show(event);
  const { stopReason } = await turn;
  return `the agent stopped: ${stopReason}`;
}
