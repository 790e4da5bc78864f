const MIB = 1024 * 1024;

/** How far one script may go; what passes one of these ends with 126 and says so on stderr. */
export const SHELL_LIMITS = {
  maxCommandCount: 1_000_000,
  maxLoopIterations: 1_000_000,
  maxWorkUnits: 100_000_000,
  /** In the text that the interpreter holds at once. */
  maxLiveBytes: 128 * MIB,
  maxStringLength: 32 * MIB,
  maxHeredocSize: 8 * MIB,
  maxSourceBytes: 8 * MIB,
  maxInputBytes: 128 * MIB,
  maxOutputSize: 256 * MIB,
  maxArchiveBytes: 256 * MIB,
  maxDatabaseBytes: 64 * MIB,
  /** None of its own: the time-out of the process ends it. */
  maxExecutionTimeMs: 2 ** 31 - 1,
} as const;
