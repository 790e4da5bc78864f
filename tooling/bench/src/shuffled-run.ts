/** One way of doing a row's work. Answers how long it took, or how much it used. */
export interface Variant {
  readonly name: string;
  readonly measure: () => Promise<number>;
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** Runs every variant `count` times, in random order, so that none follows only itself; the first call of each is not counted. */
export async function shuffledRun(
  variants: readonly Variant[],
  count: number,
): Promise<Map<string, number[]>> {
  const samples = new Map(variants.map(({ name }) => [name, [] as number[]]));
  for (const { measure } of variants) await measure();
  const order = variants.flatMap((variant) => Array.from({ length: count }, () => variant));
  shuffle(order);
  for (const { name, measure } of order) samples.get(name)?.push(await measure());
  return samples;
}

function shuffle<T>(items: T[]): void {
  for (let last = items.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    const [a, b] = [items[last], items[other]];
    if (a !== undefined && b !== undefined) {
      items[last] = b;
      items[other] = a;
    }
  }
}
