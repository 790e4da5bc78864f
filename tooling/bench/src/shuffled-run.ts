import { type Summary, summarise } from "./sample.ts";

/** One way of doing a row's work. Answers how long it took, or how much it used. */
export interface Variant {
  readonly name: string;
  readonly measure: () => Promise<number>;
}

type Figure = "p50" | "p95" | "p99";

/** What a shuffled run found. */
export interface Measured {
  readonly variants: Readonly<Record<string, Summary>>;
  /** One variant's figure divided by another's. Default p50. */
  readonly ratio: (name: string, floor: string, figure?: Figure) => number;
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Runs every variant `count` times, in random order, so that none follows only itself; the first call of each is not counted. */
export async function shuffledRun(variants: readonly Variant[], count: number): Promise<Measured> {
  const samples = new Map<string, number[]>(variants.map(({ name }) => [name, []]));
  for (const { measure } of variants) await measure();
  const order = variants.flatMap((variant) => Array.from({ length: count }, () => variant));
  shuffle(order);
  for (const { name, measure } of order) samples.get(name)?.push(await measure());
  return measured(Object.fromEntries([...samples].map(([name, all]) => [name, summarise(all)])));
}

/** The same view on figures that were taken otherwise. */
export function measured(variants: Readonly<Record<string, Summary>>): Measured {
  const value = (name: string, figure: Figure): number => variants[name]?.[figure] ?? Number.NaN;
  return {
    variants,
    ratio: (name, floor, figure = "p50") => value(name, figure) / value(floor, figure),
  };
}

function shuffle(items: Variant[]): void {
  for (let last = items.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    const [a, b] = [items[last], items[other]];
    if (a !== undefined && b !== undefined) {
      items[last] = b;
      items[other] = a;
    }
  }
}
