import type { DEFAULTS } from "../src/defaults.ts";

/** What docs/defaults.md says of each default. */
export const DEFAULT_TEXTS: { readonly [N in keyof typeof DEFAULTS]: string } = {
  heartbeatMs: "A connection that was quiet for this long is pinged.",
  peerDeadMs: "A peer that was silent for this long is taken for dead.",
  leaseGraceMs: "A lease outlives its lost connection by this.",
  frozenProcessesMs: "The processes of a frozen named VM end after this. Its files stay.",
  sidecarIdleMs: "A shared sidecar without leases ends itself after this.",
  adoptGraceMs: "A VM whose sidecar is gone waits this long for the next one.",
  requestMs: "Deadline of a request.",
  createMs: "Deadline of a VM's creation.",
  sidecarStartMs: "A new sidecar must be ready within this.",
  maxFrameBytes: "Largest message on a connection, either way.",
  streamWindowBytes: "Bytes of one stream on their way before the reader acknowledges them.",
  transferWindowBytes: "The same for a file transfer.",
  maxOutputBytes:
    "`exec` collects this much of stdout and of stderr. The rest is dropped: `truncated`.",
  maxArgumentBytes: "Arguments and environment of one process together.",
  vmsPerSidecar: "VMs of one sidecar.",
  waitingCreates: "Creates that wait for a place.",
  waitingCreateMs: "A create waits this long for a place, then `POOL_EXHAUSTED`.",
  warmPoolSize: "VMs kept ready ahead of need.",
  warmPoolRefillMs: "A VM taken from the warm pool is replaced after this.",
  memoryBytes: "`limits.memoryBytes` of a VM.",
  pids: "`limits.pids` of a VM.",
  diskBytes: "`limits.diskBytes` of a VM.",
  openFiles: "`limits.openFiles` of a process.",
};
