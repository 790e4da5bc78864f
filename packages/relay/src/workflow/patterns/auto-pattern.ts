import type { PatternName } from "./shape-of.ts";
import { hasRole, type Member } from "./shape.ts";

export interface AutoFacts {
  readonly members: readonly Member[];
  /** A step waits for another one. */
  readonly hasDependencies: boolean;
  readonly hasConsensus: boolean;
  /** Who does each of the steps, in order. */
  readonly stepAgents: readonly string[];
}

type Rule = readonly [PatternName, (facts: AutoFacts) => boolean];

const role =
  (...words: readonly string[]) =>
  ({ members }: AutoFacts): boolean =>
    members.some((member) => hasRole(member.role, words));

/** The first that fits. */
const RULES: readonly Rule[] = [
  ["dag", ({ hasDependencies }) => hasDependencies],
  ["consensus", ({ hasConsensus }) => hasConsensus],
  ["map-reduce", (facts) => role("mapper")(facts) && role("reducer")(facts)],
  ["red-team", (facts) => role("attacker")(facts) && role("defender")(facts)],
  ["reflection", role("critic")],
  ["escalation", ({ members }) => members.some((member) => /tier-\d/.test(member.role ?? ""))],
  ["auction", role("auctioneer")],
  ["saga", role("saga-orchestrator")],
  ["circuit-breaker", role("fallback")],
  ["blackboard", role("blackboard", "moderator")],
  ["swarm", role("hive-mind")],
  ["verifier", role("verifier")],
  ["supervisor", role("supervisor")],
  [
    "review-loop",
    ({ members }) =>
      members.some((member) => hasRole(member.role, ["implementer"])) &&
      members.filter((member) => hasRole(member.role, ["reviewer"])).length >= 2,
  ],
  ["hierarchical", (facts) => facts.members.length > 3 && role("lead")(facts)],
  ["hub-spoke", role("lead", "hub", "coordinator")],
  [
    "pipeline",
    ({ stepAgents }) => stepAgents.length > 2 && new Set(stepAgents).size === stepAgents.length,
  ],
];

/** The pattern that the roles and steps speak of; `fan-out` where they say nothing. */
export function autoPattern(facts: AutoFacts): PatternName {
  return RULES.find(([, fits]) => fits(facts))?.[0] ?? "fan-out";
}
