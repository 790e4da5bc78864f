/** Numbers from 0 to 1, the same for the same seed. */
export type Random = () => number;

/** What a run's randomness comes from: AGENTOS_CHAOS_SEED, or the time. A failure names it. */
export function chaosSeed(): number {
  const given = process.env["AGENTOS_CHAOS_SEED"];
  return given === undefined ? Date.now() % 1_000_000_007 : Number(given);
}

/** A Lehmer generator: enough to shuffle moments. */
export function randomOf(seed: number): Random {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** `bytes` that look random, the same for the same seed. */
export function bytesOf(bytes: number, seed: number): Buffer {
  const data = Buffer.allocUnsafe(bytes);
  let state = (seed | 1) >>> 0;
  for (let at = 0; at < bytes; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    data[at] = state >>> 24;
  }
  return data;
}
