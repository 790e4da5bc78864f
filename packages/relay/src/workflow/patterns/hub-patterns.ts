import {
  Edges,
  levels,
  type Member,
  type Shape,
  type ShapeBuilder,
  without,
  withRole,
} from "./shape.ts";

const HUB_ROLES = ["lead", "hub", "coordinator"];

/** The one with a role of `words`, else of a lead, else the first. */
export function hubOf(members: readonly Member[], words: readonly string[] = []): string | null {
  const [own] = withRole(members, ...words);
  const [lead] = withRole(members, ...HUB_ROLES);
  return own ?? lead ?? members[0]?.name ?? null;
}

/** The hub talks with everybody, nobody else with anybody. */
function around(hub: string | null, members: readonly Member[]): Edges {
  const edges = new Edges(members);
  return hub === null ? edges : edges.link([hub], without(members, [hub]));
}

/** The hub says what is to be done, then the others do it. */
function hubFirst(...words: readonly string[]): ShapeBuilder {
  return (members) => {
    const hub = hubOf(members, words);
    const own = hub === null ? [] : [hub];
    const edges = around(hub, members).all;
    return { hub, edges, levels: levels(own, without(members, own)) };
  };
}

/** The others work, then the hub makes one thing of it. */
function hubLast(...words: readonly string[]): ShapeBuilder {
  return (members) => {
    const hub = hubOf(members, words);
    const own = hub === null ? [] : [hub];
    const edges = around(hub, members).all;
    return { hub, edges, levels: levels(without(members, own), own) };
  };
}

/** Competitors know nothing of one another; who leads or judges compares. */
function competitive(members: readonly Member[]): Shape {
  const judges = withRole(members, "lead", "judge", "hub", "coordinator");
  const rivals = without(members, judges);
  const edges = new Edges(members).link(judges, rivals).link(judges, judges).all;
  return { hub: judges[0] ?? null, edges, levels: levels(rivals, judges) };
}

/** A lead, leads of teams below it by the role `manager` or `team-lead`, and the rest below those. */
function hierarchical(members: readonly Member[]): Shape {
  const hub = hubOf(members);
  const own = hub === null ? [] : [hub];
  const middle = withRole(members, "manager", "team-lead", "sub-lead").filter((n) => n !== hub);
  const rest = without(members, own, middle);
  const above = middle.length > 0 ? middle : own;
  const edges = new Edges(members).link(own, middle).link(above, rest).all;
  return { hub, edges, levels: levels(own, middle, rest) };
}

export const HUB_PATTERNS = {
  "fan-out": hubLast(),
  "hub-spoke": hubFirst(),
  "scatter-gather": hubLast(),
  supervisor: hubLast("supervisor"),
  auction: hubFirst("auctioneer"),
  saga: hubFirst("saga-orchestrator"),
  hierarchical,
  competitive,
} as const satisfies Record<string, ShapeBuilder>;
