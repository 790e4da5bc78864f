import type { LeaseSession } from "./lease-session.ts";
import type { VmAdmin } from "./vm-admin.ts";

/** Ties one VM to the sidecar handle that it was leased from. */
export class VmLease {
  readonly admin: VmAdmin;
  readonly #session: LeaseSession;
  readonly #leave: (lease: VmLease) => void;
  readonly #left: (lease: VmLease) => Promise<void>;
  #disposal: Promise<void> | undefined;

  constructor(options: {
    session: LeaseSession;
    vmId: string;
    /** Takes the lease out of the handle's set, before anything is awaited. */
    leave: (lease: VmLease) => void;
    /** Runs once the VM has been given back. */
    left: (lease: VmLease) => Promise<void>;
  }) {
    this.#session = options.session;
    this.admin = options.session.vmAdmin(options.vmId);
    this.#leave = options.leave;
    this.#left = options.left;
  }

  get vmId(): string {
    return this.admin.vmId;
  }

  /** Gives the VM back. Every call shares the first one's promise. */
  dispose(): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  async #dispose(): Promise<void> {
    // Before the first await: a session that fails still leaves the handle's count right.
    this.#leave(this);
    try {
      await this.#session.dispose();
    } finally {
      await this.#left(this);
    }
  }
}
