/** An agent as patterns see it. */
export interface Member {
  readonly name: string;
  readonly role: string | undefined;
}

/** What a pattern makes of its agents. */
export interface Shape {
  readonly hub: string | null;
  /** Whom each may write to. */
  readonly edges: Readonly<Record<string, readonly string[]>>;
  /** In which order those work that have a task and no steps: one level after another. */
  readonly levels: readonly (readonly string[])[];
  /** Each level works only where the one before it failed. */
  readonly onFailure?: boolean;
  /** Those who vote on what the others make, instead of working on a level. */
  readonly reviewers?: readonly string[];
}

export type ShapeBuilder = (members: readonly Member[]) => Shape;

/** Edges under construction. */
export class Edges {
  readonly #to = new Map<string, Set<string>>();

  constructor(members: readonly Member[]) {
    for (const { name } of members) this.#to.set(name, new Set());
  }

  /** Each of `from` may write to each of `to`. */
  join(from: readonly string[], to: readonly string[]): this {
    for (const writer of from) {
      for (const reader of to) if (reader !== writer) this.#to.get(writer)?.add(reader);
    }
    return this;
  }

  /** The same in both directions. */
  link(some: readonly string[], others: readonly string[]): this {
    return this.join(some, others).join(others, some);
  }

  get all(): Record<string, string[]> {
    return Object.fromEntries([...this.#to].map(([name, to]) => [name, [...to]]));
  }
}

export function namesOf(members: readonly Member[]): string[] {
  return members.map(({ name }) => name);
}

/** Those whose role has one of the words in it, whole. */
export function withRole(members: readonly Member[], ...words: readonly string[]): string[] {
  return namesOf(members.filter(({ role }) => hasRole(role, words)));
}

export function hasRole(role: string | undefined, words: readonly string[]): boolean {
  const own = (role ?? "").toLowerCase();
  const parts = own.split(/[^a-z0-9-]+/);
  return words.some((word) => own === word || parts.includes(word));
}

export function without(
  members: readonly Member[],
  ...groups: readonly (readonly string[])[]
): string[] {
  const taken = new Set(groups.flat());
  return namesOf(members).filter((name) => !taken.has(name));
}

/** Levels without those that nobody is on. */
export function levels(...groups: readonly (readonly string[])[]): string[][] {
  return groups.filter((group) => group.length > 0).map((group) => [...group]);
}
