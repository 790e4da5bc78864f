import { randomUUID } from "node:crypto";

import { AgentOsError, type SubagentSpec, type TurnResult } from "@agentos/protocol";

import type { SubagentRequest, Subagents } from "../subagents.ts";
import type { ToolTurn } from "../tool-desk.ts";
import { cancelled } from "./deadline.ts";
import type { Session } from "./session.ts";

export interface SessionSubagentsOptions {
  readonly agents: Readonly<Record<string, SubagentSpec>>;
  /** Of `agents`; undefined: all of them. */
  readonly allow: readonly string[] | undefined;
  /** Opens a session below this one whose events and requests are told in this one's turn. */
  readonly open: (agent: SubagentSpec, childId: string) => Promise<Session>;
}

/** The agents that one session's agent may start by a tool. */
export class SessionSubagents implements Subagents {
  readonly #options: SessionSubagentsOptions;

  constructor(options: SessionSubagentsOptions) {
    this.#options = options;
  }

  get known(): readonly { name: string; description: string }[] {
    const { agents, allow } = this.#options;
    return Object.entries(agents)
      .filter(([name]) => allow?.includes(name) !== false)
      .map(([name, { description }]) => ({ name, description }));
  }

  async run(
    { agent, prompt }: SubagentRequest,
    turn: ToolTurn,
  ): Promise<{ sessionId: string; result: TurnResult }> {
    const spec = typeof agent === "string" ? this.#named(agent) : agent;
    if (turn.signal.aborted) throw cancelled("a subagent");
    const childId = `agent-${randomUUID()}`;
    const child = await this.#options.open(spec, childId);
    const abort = (): void =>
      void child.close("its parent's turn has ended").catch(() => undefined);
    turn.signal.addEventListener("abort", abort, { once: true });
    try {
      if (turn.signal.aborted) throw cancelled("a subagent");
      const result = await child.ask(prompt, "agent");
      if (turn.signal.aborted) throw cancelled("a subagent");
      return { sessionId: childId, result };
    } finally {
      turn.signal.removeEventListener("abort", abort);
      // How its end went is in the log.
      await child.close().catch(() => undefined);
    }
  }

  #named(name: string): SubagentSpec {
    const spec = Object.hasOwn(this.#options.agents, name) ? this.#options.agents[name] : undefined;
    if (spec !== undefined && this.#options.allow?.includes(name) !== false) return spec;
    const known = this.known.map((each) => each.name).join(", ");
    const message = `no agent ${JSON.stringify(name)}; there are: ${known === "" ? "none" : known}`;
    throw new AgentOsError("NOT_FOUND", message, { kind: "agent", id: name });
  }
}
