import type { WORKFLOW_PATTERNS } from "@agentos/protocol";

import { CHAIN_PATTERNS } from "./chain-patterns.ts";
import { HUB_PATTERNS } from "./hub-patterns.ts";
import { MESH_PATTERNS } from "./mesh-patterns.ts";
import { ROLE_PATTERNS } from "./role-patterns.ts";
import { Edges, type Member, namesOf, type Shape, type ShapeBuilder } from "./shape.ts";

/** A pattern that has been decided on. */
export type PatternName = (typeof WORKFLOW_PATTERNS)[number];

/** Which agent's step comes after which other's. */
export interface StepEdge {
  readonly from: string;
  readonly to: string;
}

const BUILDERS: Readonly<Record<Exclude<PatternName, "dag">, ShapeBuilder>> = {
  ...HUB_PATTERNS,
  ...CHAIN_PATTERNS,
  ...MESH_PATTERNS,
  ...ROLE_PATTERNS,
};

/** What the pattern makes of the agents. The steps only matter to `dag`, which has its edges from them. */
export function shapeOf(
  pattern: PatternName,
  members: readonly Member[],
  steps: readonly StepEdge[],
): Shape {
  if (pattern !== "dag") return BUILDERS[pattern](members);
  const edges = new Edges(members);
  for (const { from, to } of steps) edges.join([from], [to]);
  return { hub: null, edges: edges.all, levels: [namesOf(members)] };
}
