import { createHash, createHmac, randomBytes } from "node:crypto";

const SECRET_BYTES = 32;
const SOCKET_NAME_BYTES = 20;

/** The secrets of VMs' links: derived from a key, so that another sidecar with it needs no other. */
export class LinkSecrets {
  readonly #key: Uint8Array | undefined;

  /** Without a key every secret is random, and no other sidecar can adopt. */
  constructor(key: Uint8Array | undefined) {
    this.#key = key;
  }

  /** Whether another sidecar with the same key can attach to the VMs. */
  get areShared(): boolean {
    return this.#key !== undefined;
  }

  /** The secret of the VM with this id between driver and vmd. */
  of(linkId: string): Uint8Array {
    if (this.#key === undefined) return randomBytes(SECRET_BYTES);
    return createHmac("sha256", this.#key).update(linkId).digest();
  }
}

/** Bytes of what `socketName` returns. */
export const VM_SOCKET_NAME_BYTES = SOCKET_NAME_BYTES;

/** A VM's id may be longer than what a socket's path has room for. */
export function socketName(linkId: string): string {
  return hashedName("v-", linkId);
}

/** The socket of who holds a layer in memory. */
export function keeperSocketName(layer: string): string {
  return hashedName("k-", layer);
}

function hashedName(prefix: string, id: string): string {
  const digest = createHash("sha256").update(id).digest("hex");
  return `${prefix}${digest.slice(0, SOCKET_NAME_BYTES - prefix.length)}`;
}
