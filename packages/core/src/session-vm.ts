import type { Duplex } from "node:stream";

import type { AgentOsError } from "@agentos/protocol";

import type { AdoptedProcess, VmHandle } from "./vm-driver.ts";

/** The way out of a VM, as its network policy has it at that moment. */
export interface SessionEgress {
  /** Throws `NETWORK_REFUSED`, or `UNSUPPORTED` where the driver has no network. Where a name leads is looked at by `connect`. */
  assertAllowed(host: string, port: number): void;
  /** A connection of TCP. Rejects as above, or with `HOST_UNREACHABLE`. */
  connect(host: string, port: number, options: { signal: AbortSignal }): Promise<Duplex>;
}

/**
 * A session's hold on its VM. The VM lives at least as long as it is held, and each use is checked
 * against the fence that the session was prompted with.
 */
export interface SessionVm {
  readonly vmId: string;
  readonly driver: string;
  /** The VM's own environment with what its user added. */
  readonly environment: Readonly<Record<string, string>>;
  /** Directories of the host that are mounted in it: writing there crosses the VM's border. */
  readonly hostMounts: readonly { target: string; readOnly: boolean }[];
  /** The handle, for one effect right now. Throws `FENCED` or `VM_ENDED`. */
  handle(): VmHandle;
  /** For one effect right now, too. */
  egress(): SessionEgress;
  /** Resolves when the VM runs: one of an earlier life may have to be taken over first. Rejects where it never does. */
  readonly running: Promise<void>;
  /** A process that an earlier life of the sidecar started and nobody else has asked for: it is the caller's from now on. */
  claim(processId: string): AdoptedProcess | undefined;
  /** Resolves with why, once the VM is gone. Never rejects. */
  readonly ended: Promise<string>;
  /** Resolves once another holder has taken the VM over. Never rejects. */
  readonly fenced: Promise<AgentOsError<"FENCED">>;
  /** Lets go; harmless to repeat. */
  release(): void;
}

/** Where sessions get VMs from. */
export interface SessionVms {
  /** A running turn's: the VM lives at least until it is released. Throws `NOT_FOUND`, `FENCED` or `VM_ENDED`. */
  hold(user: string, vmId: string, fence: number): SessionVm;
  /** The same for a turn of an earlier life, whose VM may not run yet. */
  holdAgain(user: string, vmId: string, fence: number): SessionVm;
  /** Between turns: it keeps nothing alive. Throws `NOT_FOUND` or `VM_ENDED`. */
  watch(user: string, vmId: string, fence: number): SessionVm;
}
