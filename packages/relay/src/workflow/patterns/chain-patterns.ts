import { Edges, type Member, namesOf, type Shape, type ShapeBuilder } from "./shape.ts";

/** One after another; each may write to the next, and back where `back`. */
function chain(members: readonly Member[], back: boolean): Omit<Shape, "hub"> {
  const names = namesOf(members);
  const edges = new Edges(members);
  for (const [index, name] of names.entries()) {
    const next = names.slice(index + 1, index + 2);
    if (back) edges.link([name], next);
    else edges.join([name], next);
  }
  return { edges: edges.all, levels: names.map((name) => [name]) };
}

function forward(members: readonly Member[]): Shape {
  return { hub: null, ...chain(members, false) };
}

/** The next one works only where the one before it failed. */
function fallback(members: readonly Member[]): Shape {
  return { hub: null, ...chain(members, false), onFailure: true };
}

/** By the number in `tier-1`, `tier-2`, …; those without one come first. A problem goes up, the answer down. */
function escalation(members: readonly Member[]): Shape {
  const tiers = members.toSorted((a, b) => tierOf(a) - tierOf(b));
  return { hub: null, ...chain(tiers, true), onFailure: true };
}

function tierOf({ role }: Member): number {
  return Number(/tier-(\d{1,3})/.exec(role ?? "")?.[1] ?? 0);
}

export const CHAIN_PATTERNS = {
  pipeline: forward,
  handoff: forward,
  cascade: fallback,
  "circuit-breaker": fallback,
  escalation,
} as const satisfies Record<string, ShapeBuilder>;
