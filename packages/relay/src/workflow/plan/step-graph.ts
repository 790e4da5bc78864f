/** A step and what comes before it. */
export interface GraphNode {
  readonly name: string;
  readonly dependsOn: readonly string[];
}

/** Steps that can run at the same time, wave by wave; and those that never can, because they wait for one another. */
export function wavesOf<N extends GraphNode>(nodes: readonly N[]): { waves: N[][]; stuck: N[] } {
  const waves: N[][] = [];
  const done = new Set<string>();
  let left = [...nodes];
  for (;;) {
    const ready = left.filter(({ dependsOn }) => dependsOn.every((name) => done.has(name)));
    if (ready.length === 0) return { waves, stuck: left };
    waves.push(ready);
    for (const { name } of ready) done.add(name);
    left = left.filter((node) => !done.has(node.name));
  }
}

/** One circle among nodes that wait for one another, its first name again at the end. */
export function cycleOf(stuck: readonly GraphNode[]): string[] {
  const byName = new Map(stuck.map((node) => [node.name, node]));
  const path: string[] = [];
  for (let at = stuck[0]; at !== undefined;) {
    const seen = path.indexOf(at.name);
    if (seen !== -1) return [...path.slice(seen), at.name];
    path.push(at.name);
    const next = at.dependsOn.find((name) => byName.has(name));
    at = next === undefined ? undefined : byName.get(next);
  }
  return path;
}

/** Everything that a node waits for, directly or not. */
export function ancestorsOf(name: string, nodes: readonly GraphNode[]): Set<string> {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const found = new Set<string>();
  const look = [name];
  for (let at = look.pop(); at !== undefined; at = look.pop()) {
    for (const before of byName.get(at)?.dependsOn ?? []) {
      if (found.has(before)) continue;
      found.add(before);
      look.push(before);
    }
  }
  return found;
}
