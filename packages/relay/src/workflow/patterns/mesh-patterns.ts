import {
  Edges,
  levels,
  type Member,
  namesOf,
  type Shape,
  type ShapeBuilder,
  without,
  withRole,
} from "./shape.ts";

function mesh(members: readonly Member[]): Edges {
  return new Edges(members).link(namesOf(members), namesOf(members));
}

/** Everybody talks with everybody; those with a role of `words` come last. */
function everybody(...words: readonly string[]): ShapeBuilder {
  return (members) => {
    const last = withRole(members, ...words);
    return {
      hub: last[0] ?? null,
      edges: mesh(members).all,
      levels: levels(without(members, last), last),
    };
  };
}

/** All propose; what the coordinator makes of it, the others vote on. */
function consensus(members: readonly Member[]): Shape {
  const last = withRole(members, "coordinator", "lead", "hub").slice(0, 1);
  const others = without(members, last);
  const edges = mesh(members).all;
  const hub = last[0] ?? null;
  return {
    hub,
    edges,
    levels: levels(others, last),
    ...(hub === null ? {} : { reviewers: others }),
  };
}

/** Each talks with its neighbours in a ring, and with the hive mind, which sees all and comes last. */
function swarm(members: readonly Member[]): Shape {
  const minds = withRole(members, "hive-mind");
  const ring = without(members, minds);
  const edges = new Edges(members).link(minds, ring);
  for (const [index, name] of ring.entries()) {
    const next = ring[(index + 1) % ring.length];
    if (next !== undefined) edges.link([name], [next]);
  }
  return { hub: minds[0] ?? null, edges: edges.all, levels: levels(ring, minds) };
}

export const MESH_PATTERNS = {
  consensus,
  debate: everybody("moderator", "judge"),
  mesh: everybody(),
  blackboard: everybody("moderator"),
  swarm,
} as const satisfies Record<string, ShapeBuilder>;
