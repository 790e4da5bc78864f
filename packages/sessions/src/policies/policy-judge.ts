import type { Policy, PolicyRule, ToolCall } from "@agentos/protocol";

/** What a policy says of a call. */
export interface Judgement {
  readonly decision: "allow" | "deny" | "ask";
  /** Told to the agent with a denial, and to whoever is asked. */
  readonly reason: string;
  /** The client's function that answers an `ask`. */
  readonly handler?: string;
}

/** The client's predicate on a call. Rejects where it failed, which denies. */
export type Predicate = (name: string, call: ToolCall) => Promise<boolean>;

const STRENGTH = { deny: 0, ask: 1, allow: 2 } as const;

/**
 * What the rules say, in their order: the exact tool before `server/*`, that before `*`; in each deny,
 * ask, allow; then as they were written. Undefined: none matches. A predicate that fails denies.
 */
export async function judge(
  rules: readonly PolicyRule[],
  call: ToolCall,
  predicate: Predicate,
): Promise<Judgement | undefined> {
  for (const rule of inOrder(rules, call)) {
    const matches = await applies(rule, call, predicate);
    if (matches === "failed") {
      return { decision: "deny", reason: `the predicate ${rule.when} of ${nameOf(rule)} failed` };
    }
    if (!matches) continue;
    const { decision, handler } = rule;
    const reason = rule.reason ?? `${nameOf(rule)} says ${decision}`;
    return { decision, reason, ...(handler === undefined ? {} : { handler }) };
  }
  return undefined;
}

/** The rules of a policy for what none of them matches. */
export function otherwise(policy: Policy, crossesBorder: boolean): Judgement {
  if (policy.otherwise === "deny")
    return { decision: "deny", reason: "no rule of the policy allows it" };
  if (crossesBorder) return { decision: "ask", reason: "its effect leaves the VM" };
  return { decision: "allow", reason: "its effect stays in the VM" };
}

function inOrder(rules: readonly PolicyRule[], call: ToolCall): PolicyRule[] {
  const ranked = rules.flatMap((rule, index) => {
    const specificity = specificityOf(rule.tool, call);
    return specificity === undefined ? [] : [{ rule, specificity, index }];
  });
  ranked.sort(
    (a, b) =>
      a.specificity - b.specificity ||
      STRENGTH[a.rule.decision] - STRENGTH[b.rule.decision] ||
      a.index - b.index,
  );
  return ranked.map(({ rule }) => rule);
}

/** 0 exact, 1 the whole server, 2 everything; undefined: not this tool. A bare name is never an MCP tool's. */
function specificityOf(pattern: string, { name, server }: ToolCall): number | undefined {
  if (pattern === "*") return 2;
  if (server !== undefined && pattern === `${server}/*`) return 1;
  return pattern === (server === undefined ? name : `${server}/${name}`) ? 0 : undefined;
}

async function applies(
  rule: PolicyRule,
  call: ToolCall,
  predicate: Predicate,
): Promise<boolean | "failed"> {
  if (rule.when === undefined) return true;
  try {
    return await predicate(rule.when, call);
  } catch {
    return "failed";
  }
}

function nameOf({ name, tool }: PolicyRule): string {
  return name === undefined ? `the rule for ${tool}` : `the rule ${name}`;
}
