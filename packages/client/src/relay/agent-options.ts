import { AgentSpec, type Continuity, parseArgument } from "@agentos/protocol";

import type { SessionFunction } from "../sessions/session-functions.ts";
import { type SessionOptions, wireSession } from "../sessions/session-options.ts";

/** What an agent is: a session with a name, and how it is kept. */
export interface AgentOptions extends Omit<SessionOptions, "id" | "resume"> {
  readonly runtime: string;
  /** Said once, as soon as it is ready. */
  readonly task?: string;
  readonly team?: string;
  /** Default: `general`. */
  readonly channels?: readonly string[];
  /** The agent that it belongs to. */
  readonly parent?: string;
  /** Whom it may write to: addresses. Default: its VM, channels and team, its parent and children, and who wrote to it. */
  readonly sendTo?: readonly string[];
  /** Of messages that don't say. Default: urgent ones steer, others wait. */
  readonly delivery?: AgentSpec["delivery"];
  /** Without output and work for this long it is idle. Default 30 s; 0: never. */
  readonly idleMs?: number;
  readonly nudge?: AgentSpec["nudge"];
  /** Default: an agent that dies is not started again. */
  readonly restart?: AgentSpec["restart"];
  /** An agent that was released, or what one left: it is told to this one. */
  readonly continueFrom?: string | Continuity;
  /** The agent whose messages it gets copies of. */
  readonly shadowOf?: string;
  readonly shadowMode?: AgentSpec["shadowMode"];
}

const DEFAULT_CHANNELS = ["general"];

/** The agent as the sidecar gets it, and the functions of its session. Throws `INVALID_ARGUMENT`. */
export function wireAgentOptions(
  name: string,
  agentId: string,
  options: AgentOptions,
  env: Readonly<Record<string, string | undefined>>,
): { spec: AgentSpec; functions: Map<string, SessionFunction> } {
  const { agent, session: own } = divided(options);
  const { spec, functions } = wireSession(own, agentId, env);
  const { sessionId: _sessionId, resume: _resume, ...session } = spec;
  const given = Object.entries({ channels: DEFAULT_CHANNELS, ...agent, name, session }).filter(
    ([, value]) => value !== undefined,
  );
  return { spec: parseArgument(AgentSpec, Object.fromEntries(given), "options"), functions };
}

/** What is the agent's, and what its session's. */
function divided(options: AgentOptions): { agent: object; session: SessionOptions } {
  const { task, team, channels, parent, sendTo, delivery, idleMs, nudge, ...others } = options;
  const { restart, continueFrom, shadowOf, shadowMode, ...session } = others;
  const agent = {
    task,
    team,
    ...(channels === undefined ? {} : { channels }),
    parent,
    sendTo,
    delivery,
    idleMs,
    nudge,
    restart,
    continueFrom,
    shadowOf,
    shadowMode,
  };
  return { agent, session };
}
