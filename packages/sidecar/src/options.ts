import type { AgentRuntime, Clock, VmDriver } from "@agentos/core";
import type { ModelPrice } from "@agentos/runtimes";
import { DEFAULTS, type ListenAddress, type StartRequest } from "@agentos/protocol";

import type { Log } from "./log.ts";

/** What a driver is given when it is made. */
export interface DriverContext {
  sidecarId: string;
  epoch: number;
  /** An own directory (0700) for sockets and other things of this life. */
  runtimeDirectory: string;
  stateDirectory: string;
  /** The store of agents' programs, for VMs to see. */
  agentsDirectory: string | undefined;
  /** For files that outlive their VM; the pool's own. */
  diskDirectory: string;
  warmPoolSize: number;
  /** How long a VM waits for the next sidecar where this one is lost. 0: there is none for it. */
  adoptGraceMs: number;
  /** The pool's secret: each VM's link secret comes from it. */
  linkKey: Uint8Array;
}

/** How a sidecar is to run. Every default is in protocol's `DEFAULTS`. */
export interface SidecarOptions {
  sidecarId: string;
  stateDirectory: string;
  runtimeDirectory: string;
  /** The store of agents' programs. Default: none. */
  agentsDirectory?: string | undefined;
  /** A shared sidecar's pool; absent: an explicit one, which never ends for idleness. */
  pool?: string | undefined;
  /** Default: a unix socket in the runtime directory. */
  listen?: ListenAddress | undefined;
  idleMs?: number | undefined;
  leaseGraceMs?: number | undefined;
  maxVms?: number | undefined;
  waitingCreates?: number | undefined;
  waitingCreateMs?: number | undefined;
  createMs?: number | undefined;
  warmPoolSize?: number | undefined;
  /** How large the state file may get. Default `BOUNDS.storeBytes`. */
  storeBytes?: number | undefined;
  /** Makes the drivers, strongest first; called once, right after ready. */
  drivers: (context: DriverContext) => Promise<readonly VmDriver[]>;
  /** The kinds of agents that sessions may have. Default: none. */
  runtimes?: readonly AgentRuntime[] | undefined;
  /** What tokens of models cost that agents in VMs call. Default: the list prices of this build. */
  prices?: readonly ModelPrice[] | undefined;
  /** Sessions that are open at the same time. */
  maxSessions?: number | undefined;
  /** All transcripts of a user together. Default `DEFAULTS.transcriptBytes`. */
  transcriptBytes?: number | undefined;
  log: Log;
  clock?: Clock | undefined;
}

/** Options of the request that a client wrote on stdin. */
export function optionsOf(
  request: StartRequest,
  parts: Pick<SidecarOptions, "drivers" | "runtimes" | "prices" | "log">,
): SidecarOptions {
  const { protocol: _protocol, client: _client, pricesFile: _pricesFile, ...options } = request;
  return { ...options, ...parts };
}

/** How many VMs there may be, and how long creates wait. */
export interface Capacity {
  maxVms: number;
  waitingCreates: number;
  waitingCreateMs: number;
  createMs: number;
}

export function capacityOf(options: SidecarOptions): Capacity {
  return {
    maxVms: options.maxVms ?? DEFAULTS.vmsPerSidecar,
    waitingCreates: options.waitingCreates ?? DEFAULTS.waitingCreates,
    waitingCreateMs: options.waitingCreateMs ?? DEFAULTS.waitingCreateMs,
    createMs: options.createMs ?? DEFAULTS.createMs,
  };
}
