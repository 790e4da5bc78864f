/** How a handle's sidecar is found and started. All optional; one pool has one configuration. */
export interface SidecarConfiguration {
  /** The sidecar's main file. Default: the package `@agentos/sidecar`, from the client, then from the working directory. */
  sidecarPath?: string | undefined;
  /** Sockets and discovery files, at most 52 bytes long. Default: AGENTOS_RUNTIME_DIR, else XDG_RUNTIME_DIR/agentos, else below the temporary directory. */
  runtimeDirectory?: string | undefined;
  /** Durable state. Default: AGENTOS_STATE_DIR, else XDG_STATE_HOME/agentos, else ~/.local/state/agentos. */
  stateDirectory?: string | undefined;
  /** What models cost, where that is not the list price: a file of JSON, as docs/gateway.md has it. Default: `prices.json` in the state directory, where there is one. */
  pricesFile?: string | undefined;
  /** A shared sidecar without leases ends itself after this. Default 30,000. */
  idleMs?: number | undefined;
  /** How long a lease outlives its lost connection. Default 15,000. */
  leaseGraceMs?: number | undefined;
  /** VMs at once. Default 1,000. */
  maxVms?: number | undefined;
  /** Creates that wait for room. Default 256. */
  waitingCreates?: number | undefined;
  /** How long they wait before `POOL_EXHAUSTED`. Default 30,000. */
  waitingCreateMs?: number | undefined;
  /** VMs kept ready ahead of need. Default 2. */
  warmPoolSize?: number | undefined;
  /** Sessions that are open at once. Default 1,000. */
  maxSessions?: number | undefined;
  /** All transcripts of one user. Past it the oldest closed sessions lose theirs, else prompts are refused. Default 512 MiB. */
  transcriptBytes?: number | undefined;
}
