import { hubOf } from "./hub-patterns.ts";
import {
  Edges,
  levels,
  type Member,
  type Shape,
  type ShapeBuilder,
  without,
  withRole,
} from "./shape.ts";

/** Mappers, then reducers; a coordinator before both hears of the end. */
function mapReduce(members: readonly Member[]): Shape {
  const mappers = withRole(members, "mapper");
  const reducers = withRole(members, "reducer");
  const heads = without(members, mappers, reducers);
  const edges = new Edges(members)
    .join(heads, mappers)
    .join(mappers, reducers)
    .join(reducers, heads);
  return { hub: heads[0] ?? null, edges: edges.all, levels: levels(heads, mappers, reducers) };
}

/** Who makes it, and who says what is wrong with it. */
function judgedBy(...words: readonly string[]): ShapeBuilder {
  return (members) => {
    const judges = withRole(members, ...words);
    const makers = without(members, judges);
    const edges = new Edges(members).link(makers, judges).all;
    return { hub: null, edges, levels: levels(makers), reviewers: judges };
  };
}

/** Attackers, then defenders; the rest judges both. */
function redTeam(members: readonly Member[]): Shape {
  const attackers = withRole(members, "attacker", "red-team");
  const defenders = withRole(members, "defender", "blue-team");
  const judges = without(members, attackers, defenders);
  const edges = new Edges(members)
    .link(attackers, defenders)
    .join([...attackers, ...defenders], judges).all;
  return { hub: null, edges, levels: levels(attackers, defenders, judges) };
}

/** The implementer talks with every reviewer, and they with one another. */
function reviewLoop(members: readonly Member[]): Shape {
  const hub = hubOf(members, ["implementer"]);
  const own = hub === null ? [] : [hub];
  const reviewers = without(members, own);
  const edges = new Edges(members).link(own, reviewers).link(reviewers, reviewers).all;
  return { hub, edges, levels: levels(own), reviewers };
}

export const ROLE_PATTERNS = {
  "map-reduce": mapReduce,
  reflection: judgedBy("critic", "reviewer"),
  verifier: judgedBy("verifier"),
  "red-team": redTeam,
  "review-loop": reviewLoop,
} as const satisfies Record<string, ShapeBuilder>;
