const KIB = 1024;

/** Every bound of the relay that is not one of protocol's `DEFAULTS`. */
export const RELAY_BOUNDS = {
  /** Agents of one user, living ones. */
  agents: 1_000,
  /** Readers that wait for the next event of one user's log. */
  waitingReaders: 1_024,
  /** Messages that one transaction stores. */
  groupedWrites: 256,
  /** Events, or messages, in one answer unless the reader says less. */
  batchEntries: 1_000,
  /** What of a message is in its event. */
  previewChars: 160,
  /** A text that is longer goes to the agent as a file of its VM. */
  promptChars: 96 * KIB,
  /** Texts that are being appended, of one user. */
  drafts: 64,
  draftBytes: 32 * KIB * KIB,
  /** Longest wait before a restart. */
  longestCooldownMs: 60_000,
  /** Messages that a continuity has. */
  continuityMessages: 50,
  /** Characters of a message that a continuity, or one answer with many, has. */
  messageChars: 64 * KIB,
  /** Crashes that `relay.health` tells. */
  recentCrashes: 20,
  /** Crashes that the score looks at, and how far back. */
  scoredCrashes: 50,
  scoredMs: 3_600_000,
  /** For an agent to confirm another model. */
  modelMs: 10_000,
} as const;
