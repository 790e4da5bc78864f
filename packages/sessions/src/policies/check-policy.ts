import { AgentOsError, type PolicyRule, type SessionSpec } from "@agentos/protocol";

/** Refuses a policy that could never do what it says. Throws `INVALID_ARGUMENT`. */
export function checkPolicy(spec: SessionSpec, knowsEveryServer: boolean): void {
  for (const rule of spec.policy?.rules ?? []) {
    const { tool, decision, handler } = rule;
    if (decision === "ask" && handler === undefined && spec.asks !== "wait") {
      throw refused(rule, 'a handler, or `asks: "wait"` for someone to answer');
    }
    const server = tool.includes("/") ? tool.slice(0, tool.indexOf("/")) : undefined;
    const known = Object.keys(spec.mcpServers ?? {});
    if (server !== undefined && knowsEveryServer && !known.includes(server)) {
      throw refused(rule, `a server of ${known.length === 0 ? "mcpServers" : known.join(", ")}`);
    }
  }
}

function refused({ tool, name }: PolicyRule, expected: string): AgentOsError {
  const actual = `the rule ${name ?? `for ${tool}`}`;
  const message = `session.policy.rules: expected ${expected}, got ${actual}`;
  return new AgentOsError("INVALID_ARGUMENT", message, {
    argument: "session.policy.rules",
    expected,
    actual,
  });
}
