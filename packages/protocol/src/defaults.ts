const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** Every default of AgentOS in one table; docs/defaults.md says the same to people. */
export const DEFAULTS = {
  /** Between two pings of a quiet connection. */
  heartbeatMs: 5_000,
  /** Without a sign of life for this long, the peer is taken for dead. */
  peerDeadMs: 15_000,
  /** How long a lease outlives its lost connection. */
  leaseGraceMs: 15_000,
  /** A frozen named VM's processes end after this. */
  frozenProcessesMs: 600_000,
  /** A shared sidecar without leases ends itself after this. */
  sidecarIdleMs: 30_000,
  /** How long vmd waits for the next sidecar. */
  adoptGraceMs: 60_000,
  /** Deadline of a control request. */
  requestMs: 30_000,
  /** Deadline of a VM's creation. */
  createMs: 30_000,
  /** From spawning a sidecar to its ready message. */
  sidecarStartMs: 15_000,
  /** Largest WebSocket message, either way. */
  maxFrameBytes: MIB,
  /** Bytes in flight per stream before its reader acknowledges. */
  streamWindowBytes: 256 * KIB,
  /** The same for a terminal: its program waits when it is this far ahead of every reader. */
  terminalWindowBytes: 64 * KIB,
  /** The end of a terminal's output, kept for whoever attaches later. */
  scrollbackBytes: 256 * KIB,
  /** The same for file transfers. */
  transferWindowBytes: MIB,
  /** What exec collects per stream; the rest is dropped and `truncated`. */
  maxOutputBytes: 16 * MIB,
  /** argv and env of one process together. */
  maxArgumentBytes: 768 * KIB,
  vmsPerSidecar: 1_000,
  waitingCreates: 256,
  waitingCreateMs: 30_000,
  warmPoolSize: 2,
  warmPoolRefillMs: 30,
  spareVms: 1,
  memoryBytes: 4 * GIB,
  pids: 2_048,
  diskBytes: 8 * GIB,
  openFiles: 8_192,
  watches: 65_536,
  /** Connections of one VM to hosts of its network policy, at once. */
  networkConnections: 256,
  /** Of one VM, that run at once. */
  terminals: 256,
  /** Until an agent is ready. */
  agentStartMs: 120_000,
  /** Between two signs of life of an agent within a step. */
  stepIdleMs: 120_000,
  /** Of a session's control command. */
  sessionControlMs: 60_000,
  /** Between two events of a whole run. */
  inactivityMs: 300_000,
  /** From asking an agent to end to its tree being killed. */
  agentShutdownMs: 10_000,
  /** Of a hook or a policy's predicate; past it a decider denies. */
  hookMs: 30_000,
  hostToolMs: 120_000,
  mcpStartMs: 30_000,
  mcpToolMs: 120_000,
  /** Of a command that an agent runs. */
  toolCommandMs: 600_000,
  /** Our own tries after a provider's failure, per turn. */
  turnRetries: 2,
  turnSpacingMs: 0,
  /** Turns that wait in one session; one more is refused. */
  queuedTurns: 256,
  /** Open sessions of one sidecar. */
  sessionsPerSidecar: 1_000,
  /** What of a tool's result goes into the transcript and to the model; the rest is dropped and `truncated`. */
  toolResultBytes: 128 * KIB,
  /** All transcripts of one user together; past it the oldest closed sessions lose theirs, and where there is none prompts are refused. */
  transcriptBytes: 512 * MIB,
  /** One answer of `session.events` at most, unless one event alone is larger. */
  eventBatchBytes: 256 * KIB,
  /** Messages that wait for one agent; one more is refused. */
  mailboxMessages: 1_000,
  mailboxBytes: 16 * MIB,
  messageBytes: MIB,
  /** A message that waited for longer expires. */
  messageAgeMs: 86_400_000,
  /** A message waits this long for each step of its priority: 4 comes four of them after 0. */
  priorityAgingMs: 30_000,
  /** Tries of a delivery that its session lost. */
  deliveryAttempts: 10,
  /** Messages that the relay's history keeps per user; the oldest that nobody waits for go first. */
  keptMessages: 100_000,
  relayEvents: 200_000,
  /** Without work and output for this long, an agent is idle. */
  agentIdleMs: 30_000,
  nudgeMs: 120_000,
  restartCooldownMs: 2_000,
  maxRestarts: 5,
  maxConsecutiveFailures: 3,
  /** After this long without a failure, a restarted agent counts as healthy. */
  agentHealthyMs: 60_000,
  crashRecords: 500,
  /** Steps that a history keeps; the oldest go first. */
  historySteps: 10_000,
  /** Steps of one workflow at the same time. */
  workflowConcurrency: 4,
  /** Tries after the first, of a step in a workflow whose strategy is `retry`. */
  workflowRetries: 2,
  /** Between two tries of a step. */
  workflowRetryDelayMs: 1_000,
  /** How often an agent may work on a step that has reviewers. */
  workflowIterations: 3,
  /** For a reviewer's vote in a workflow. */
  voteExpiryMs: 300_000,
  /** Without a sign of life for this long, an agent of a workflow is idle. */
  workflowIdleMs: 30_000,
  /** Before an idle agent is reminded, where it is at all. */
  nudgeAfterMs: 120_000,
} as const;
