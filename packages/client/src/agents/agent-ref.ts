import {
  AGENT_PROGRAMS,
  AgentOsError,
  type AgentProgram,
  type AgentProgramName,
  isAgentProgram,
} from "@agentos/protocol";

/** A version as the registry has it, or one of its tags. */
const VERSION = /^[A-Za-z0-9][A-Za-z0-9.+-]{0,63}$/;

/** An agent's program and, where it was said, which version of it. */
export interface AgentRef {
  readonly agent: AgentProgramName;
  readonly program: AgentProgram;
  readonly version: string | undefined;
}

/** `claude-code` or `claude-code@2.1.329`. Throws `INVALID_ARGUMENT`. */
export function parseAgentRef(text: string): AgentRef {
  const at = text.indexOf("@");
  const agent = at < 0 ? text : text.slice(0, at);
  const version = at < 0 ? undefined : text.slice(at + 1);
  if (!isAgentProgram(agent)) {
    throw invalid(`one of ${Object.keys(AGENT_PROGRAMS).join(", ")}`, agent);
  }
  if (version !== undefined && !VERSION.test(version)) throw invalid("a version", version);
  return { agent, program: AGENT_PROGRAMS[agent], version };
}

function invalid(expected: string, actual: string): AgentOsError<"INVALID_ARGUMENT"> {
  return new AgentOsError("INVALID_ARGUMENT", `agent: expected ${expected}, got ${actual}`, {
    argument: "agent",
    expected,
    actual,
  });
}
