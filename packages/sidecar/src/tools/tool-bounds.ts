const KIB = 1024;
const MIB = 1024 * KIB;

/** Every bound of the doors to tools. */
export const TOOL_BOUNDS = {
  /** What `agentos-tool` says first: its mode, token and arguments. */
  helloBytes: 256 * KIB,
  helloMs: 10_000,
  connectionsPerVm: 64,
  /** One line of MCP. */
  lineBytes: 4 * MIB,
  /** Requests in one line. */
  batch: 64,
  /** Calls of one connection at the same time. */
  callsAtOnce: 32,
} as const;
