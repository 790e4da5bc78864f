import { AgentOsError } from "@agentos/protocol";

import { VM_SOCKET_NAME_BYTES } from "./link-secrets.ts";

const MAX_SOCKET_PATH_BYTES = 107;
const LINK_KEY_BYTES = 32;

export interface LinuxDriverOptions {
  /** A folder for sockets, made with mode 0700 where it is missing. At most 86 bytes. */
  runDirectory: string;
  /** This life of the sidecar; a VM refuses a lower one than it has seen. Default 1. */
  epoch?: number;
  /** 32 bytes that VMs' link secrets are derived from. Default none: VMs can't be adopted. */
  linkKey?: Uint8Array;
  /** How long a VM waits for a sidecar after losing one. Default 0: it ends with its sidecar. */
  adoptGraceMs?: number;
  /** VMs that wait for a create, started ahead; 0: none. Default `DEFAULTS.warmPoolSize`. */
  warmPoolSize?: number;
  /** A folder for snapshots and lasting disks, made with mode 0700. Default: in `runDirectory`. */
  diskDirectory?: string;
  /** Default: what the build put beside this package. */
  vmdPath?: string;
  /** The Node that VMs find first on PATH. Default: this process's. */
  nodePath?: string;
  /** The store of agents' programs, made where it is missing; VMs see it read-only. Default: none. */
  agentsDirectory?: string | undefined;
  /** Where root's sidecars see one another's host ids. Default /run/agentos-ids. */
  identityDirectory?: string;
}

/** Throws `INVALID_ARGUMENT`. */
export function checkDriverOptions({ runDirectory, linkKey }: LinuxDriverOptions): void {
  const most = MAX_SOCKET_PATH_BYTES - 1 - VM_SOCKET_NAME_BYTES;
  const bytes = Buffer.byteLength(runDirectory);
  if (bytes > most) throw invalid("runDirectory", `at most ${most} bytes`, bytes);
  if (linkKey !== undefined && linkKey.byteLength !== LINK_KEY_BYTES) {
    throw invalid("linkKey", `${LINK_KEY_BYTES} bytes`, linkKey.byteLength);
  }
}

function invalid(argument: string, expected: string, got: number): AgentOsError {
  const actual = String(got);
  return new AgentOsError("INVALID_ARGUMENT", `${argument}: expected ${expected}, got ${actual}`, {
    argument,
    expected,
    actual,
  });
}
