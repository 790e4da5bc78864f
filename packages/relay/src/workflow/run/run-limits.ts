/** Every bound of the runner that is not one of protocol's `DEFAULTS`. */
export const RUN_LIMITS = {
  /** Characters of a step's output that are kept: the first ones. */
  outputCharacters: 262_144,
  /** Of it that a function of the client is asked about. */
  askedCharacters: 131_072,
  /** Of it in a list of steps and in events. */
  shownCharacters: 2_048,
  /** Characters of all outputs that are filled into one text. */
  filledCharacters: 1_000_000,
  preflightMs: 30_000,
  /** Of a custom verification that says nothing. */
  verificationMs: 120_000,
  /** Of a regular expression of a preflight. */
  expressionMs: 250,
  /** Of a function of the client, where its step has no time-out. */
  functionMs: 3_600_000,
  /** Runs of a user that are kept once they have ended. */
  endedRuns: 1_000,
  /** Runs of one sidecar at the same time. */
  runs: 256,
  eventBatch: 1_000,
} as const;
