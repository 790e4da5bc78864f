/** Runs `work` for each item, `lanes` of them at a time, in order. Rejects as soon as one does. */
export async function inLanes<T>(
  items: readonly T[],
  lanes: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items.values();
  const lane = async (): Promise<void> => {
    // oxlint-disable-next-line no-await-in-loop -- One lane does one at a time.
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane));
}
