const KIB = 1024;

/** Every bound of the engine that is not one of protocol's `DEFAULTS`. */
export const SESSION_BOUNDS = {
  /** From aborting a turn to giving its runtime up. */
  cancelGraceMs: 2_000,
  /** A prompt as JSON: it must fit into one message beside the rest. */
  promptBytes: 768 * KIB,
  /** One event of a runtime as JSON; longer text is cut into several, anything else is left out with a notice. */
  eventBytes: 512 * KIB,
  /** Everything that one turn tells. */
  turnBytes: 32 * KIB * KIB,
  /** What is told of a tool's output while it runs; its result has its own bound. */
  toolOutputChars: 256 * KIB,
  /** Text of one step, and of a reply in a turn's result; the whole is in the events. JSON may need six bytes for each. */
  stepChars: 128 * KIB,
  /** One request to people as JSON. */
  requestBytes: 256 * KIB,
  /** Text in one event. */
  textEventChars: 64 * KIB,
  /** Readers that wait for a session's next event. */
  waitingReaders: 1_024,
  /** Callers that wait for a session to be idle or to wake up. */
  waitingCallers: 1_024,
  openRequests: 256,
  /** How often a stop hook may have one turn go on. */
  continuations: 32,
  /** Events, or steps, in one answer unless the reader says less. */
  batchEntries: 1_000,
  /** From the first change of a watched file to the prompt that tells of it: what comes meanwhile is told with it. */
  fileSettleMs: 200,
  /** Until a path that can't be watched, mostly because it is not there, is tried again. */
  fileRetryMs: 1_000,
  /** Changed paths that one prompt names; of more it names the watched path alone. */
  changedPaths: 2_000,
  /** Until a schedule that never comes again is looked at. */
  longestWaitMs: 86_400_000,
  /** What is read of a SKILL.md. */
  skillBytes: 64 * KIB,
  /** Between our own tries after a provider's failure: doubled each time. */
  retryMs: 500,
  longestRetryMs: 30_000,
  /** Models whose use is told apart; the rest is summed up. */
  modelsPerSession: 64,
  modelNameChars: 256,
  /** Model calls under way at the same time, through the gateway. */
  modelCallsAtOnce: 16,
  /** Calls that ended before their provider told what they used; with a budget of tokens or money no more may follow. */
  untoldCalls: 8,
  /** A reset that is farther away is none that an agent waits for. */
  softRateLimitMs: 20_000,
  /** Resets that one turn waits for. */
  rateLimitTries: 100,
} as const;
