import type { RelayStore } from "@agentos/core";
import { type Continuity, DEFAULTS } from "@agentos/protocol";

import { RELAY_BOUNDS } from "../relay-bounds.ts";
import type { Agent } from "./agent.ts";

const DEFAULT_CWD = "/workspace";

/** What an agent that is being released leaves. */
export function continuityOf(
  agent: Agent,
  store: RelayStore,
  { summary, now }: { summary: string; now: number },
): Continuity {
  const { name, spec, createdAt } = agent.stored;
  const history = store.history({
    agent: name,
    limit: RELAY_BOUNDS.continuityMessages,
    maxBytes: DEFAULTS.eventBatchBytes,
  });
  return {
    agentName: name,
    runtime: spec.session.runtime,
    task: spec.task ?? null,
    cwd: spec.session.cwd ?? DEFAULT_CWD,
    releasedAt: now,
    lifetimeMs: now - createdAt,
    messages: history
      .filter(({ kind }) => kind === "message")
      .map(({ from, text }) => ({ from, text: text.slice(0, RELAY_BOUNDS.messageChars) }))
      .toReversed(),
    summary,
  };
}

/** The task of an agent that goes on from another's. */
export function taskWith(left: Continuity, task: string | undefined): string {
  const said = left.messages.map(({ from, text }) => `- ${from}: ${text}`);
  return [
    "## Continuity Context",
    `You go on from ${left.agentName}, which was released: ${left.summary}`,
    ...(left.task === null ? [] : ["", "### Previous Task", left.task]),
    ...(said.length === 0 ? [] : ["", "### Recent Messages", ...said]),
    ...(task === undefined ? [] : ["", "## Current Task", task]),
  ].join("\n");
}
