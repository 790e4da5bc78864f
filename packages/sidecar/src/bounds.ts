const KIB = 1024;
const MIB = 1024 * KIB;

/** Every bound of the sidecar that is not one of protocol's `DEFAULTS`. */
export const BOUNDS = {
  /** The start message on stdin, without its length. */
  startRequestBytes: 64 * KIB,
  /** How long the start message may take. */
  startRequestMs: 10_000,
  /** From the decision to end until the process ends, whatever the VMs do. */
  drainMs: 8_000,
  /** What of it the agents may take, before their VMs are ended. */
  sessionsEndMs: 3_000,
  connections: 1_024,
  httpHeaderBytes: 16 * KIB,
  /** Until the headers of a request are whole. */
  httpHeadersMs: 5_000,
  /** From the open WebSocket to an answered `authenticate`. */
  authenticateMs: 5_000,
  /** A peer that does not answer the closing handshake is cut off after this. */
  closeMs: 1_000,
  /** Bytes waiting for a client that does not read; past it the connection ends. */
  bufferedBytes: 128 * MIB,
  /** Fragments of one WebSocket message. */
  fragments: 1_024,
  /** Chunks that wait for a whole WebSocket frame. */
  bufferedChunks: 16_384,
  streamsPerConnection: 4_096,
  /** Frames that arrive before the VM has answered that the stream exists. */
  earlyFrames: 1_024,
  apiKeys: 1_024,
  /** VMs on one private network: each has a door for every port of every other. */
  privateMembers: 16,
  /** Until a program of a peer has taken a connection. */
  privateConnectMs: 10_000,
  snapshotsPerUser: 1_024,
  imagesPerUser: 256,
  leasesPerVm: 256,
  /** Processes known per VM: running, or ended and not released. */
  processesPerVm: 1_024,
  /** Ended logged processes kept per VM. */
  endedLogsPerVm: 64,
  /** Released processes whose end is remembered per VM. */
  releasedProcessesPerVm: 1_024,
  /** Ended VMs that are remembered, so that their ids answer `VM_ENDED`. */
  endedVms: 4_096,
  /** VMs that are being made at the same time. */
  concurrentStarts: 16,
  /** The pool's state file; past it what needs a new row is refused. */
  storeBytes: 1_024 * MIB,
  /** Ended turns of a session whose ids are known: an older prompt repeated would run again. */
  knownTurnsPerSession: 4_096,
  /** VMs of an earlier life that are taken over at the same time. */
  concurrentAdoptions: 64,
  /** Until a VM of an earlier life is taken over; past it it counts as gone. */
  adoptMs: 10_000,
  /** Ended execs whose output is received that the VM still keeps, so that their ends can be told again. */
  readProcessesPerVm: 256,
  /** How long it keeps them at least: their answers have left by then. */
  readProcessMs: 500,
  /** Between two looks at what a VM uses, to warn of its limits. */
  sampleMs: 5_000,
  /** How long a VM whose time is over waits for the readers of its last output. */
  lastOutputMs: 2_000,
  /** How long a VM that nobody leases runs on after something was typed to an agent in it. */
  typedMs: 10_000,
  /** Log bytes that wait for a stderr that nobody reads; the rest is dropped. */
  logBytes: MIB,
} as const;
