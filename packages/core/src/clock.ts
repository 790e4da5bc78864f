/** Time as a dependency, so that tests own it. Milliseconds. */
export interface Clock {
  /** Monotonic; no calendar meaning. */
  now(): number;
  /** Calls back once after `ms`; the result cancels. */
  after(ms: number, callback: () => void): () => void;
}
