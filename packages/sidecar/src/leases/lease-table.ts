import type { Clock } from "@agentos/core";
import { AgentOsError } from "@agentos/protocol";

import { BOUNDS } from "../bounds.ts";
import type { StoredLease } from "../store/stored-lease.ts";

/** A hold of one connection on one VM. */
export interface HeldLease {
  readonly leaseId: string;
  readonly user: string;
  /** The VM's key: unique across users. */
  readonly vmKey: string;
  readonly fence: number;
  /** The connection that holds it, or held it last. */
  readonly holder: string;
  /** `grace`: its connection is lost, and it ends unless it is resumed in time. */
  readonly state: "held" | "grace";
}

/** Why a lease is over before its VM is. */
export type LeaseEnd = "released" | "expired" | "fenced";

export interface LeaseRequest {
  user: string;
  leaseId: string;
  vmKey: string;
  fence: number;
  holder: string;
}

/** Where leases outlive the process: each method as `Store` has it. */
interface LeaseStore {
  addLease(lease: LeaseRequest): void;
  takeOver(lease: LeaseRequest): void;
  renewLease(lease: LeaseRequest, holder: string): boolean;
  endLease(lease: LeaseRequest): boolean;
  startGrace(holder: string, expiresMs: number): void;
}

export interface LeaseTableOptions {
  clock: Clock;
  store: LeaseStore;
  /** How long a lease outlives its connection. */
  graceMs: number;
  /** A lease is over; the table no longer knows it. */
  onEnded: (lease: HeldLease, why: LeaseEnd) => void;
  /** Something that nobody waits for could not be written. */
  onFault: (error: unknown) => void;
}

interface Row extends HeldLease {
  holder: string;
  state: "held" | "grace";
  cancelExpiry: () => void;
}

const NO_EXPIRY = (): void => undefined;

/** Who holds which VM, and until when. What a caller asked for is in the store before it holds here. */
export class LeaseTable {
  readonly #options: LeaseTableOptions;
  /** By VM, then by lease id: one user's ids never meet another's. */
  readonly #byVm = new Map<string, Map<string, Row>>();
  #size = 0;

  constructor(options: LeaseTableOptions) {
    this.#options = options;
  }

  /** Leases of all VMs, those in their grace included. */
  get size(): number {
    return this.#size;
  }

  get graceMs(): number {
    return this.#options.graceMs;
  }

  /** A lease of an earlier life, whose connection is lost. False: its grace is over already. */
  restore(lease: StoredLease): boolean {
    const { clock, graceMs, store } = this.#options;
    const { expiresMs, ...request } = lease;
    const leftMs = expiresMs === undefined ? graceMs : expiresMs - clock.now();
    if (leftMs <= 0) {
      store.endLease(request);
      return false;
    }
    const row = this.#add(request);
    if (expiresMs === undefined) this.#startGrace(row.holder, [row]);
    else this.#expireAfter(row, leftMs);
    return true;
  }

  /** Takes a lease. The same id on the same VM again is the same lease, held by the new holder. */
  acquire(request: LeaseRequest): HeldLease {
    const known = this.find(request.vmKey, request.leaseId);
    if (known !== undefined) return this.#renew(known, request.holder);
    this.#assertRoom(request.vmKey);
    this.#options.store.addLease(request);
    return this.#add(request);
  }

  /** Takes a lease with a higher fence than all others on the VM, which end. `raised`: it is written. */
  takeOver(request: LeaseRequest, raised: () => void): HeldLease {
    this.#options.store.takeOver(request);
    raised();
    const taken = this.#add(request);
    for (const row of this.#rows(request.vmKey))
      if (row.fence < request.fence) this.#end(row, "fenced");
    return taken;
  }

  /** Holds a lease again on another connection. Throws `NOT_FOUND` where it is over. */
  resume(request: LeaseRequest): HeldLease {
    const row = this.find(request.vmKey, request.leaseId);
    if (row === undefined) throw unknownLease(request.leaseId);
    return this.#renew(row, request.holder);
  }

  /** Gives a lease back. Unknown or over: nothing happens. */
  release(vmKey: string, leaseId: string): void {
    const row = this.find(vmKey, leaseId);
    if (row === undefined) return;
    this.#options.store.endLease(row);
    this.#end(row, "released");
  }

  /** Starts the grace of everything that the connection holds. */
  connectionLost(holder: string): void {
    const rows = [...this.#byVm.values()].flatMap((byId) => [...byId.values()]);
    this.#startGrace(
      holder,
      rows.filter((row) => row.holder === holder && row.state === "held"),
    );
  }

  /** The VM is gone, in the store too: its leases are over, and nobody is called for them. */
  dropVm(vmKey: string): void {
    for (const row of this.#rows(vmKey)) this.#remove(row);
  }

  find(vmKey: string, leaseId: string): Row | undefined {
    return this.#byVm.get(vmKey)?.get(leaseId);
  }

  /** A lease on the VM that this connection holds. */
  heldBy(holder: string, vmKey: string): HeldLease | undefined {
    for (const row of this.#byVm.get(vmKey)?.values() ?? []) {
      if (row.state === "held" && row.holder === holder) return row;
    }
    return undefined;
  }

  /** Every lease on the VM. */
  of(vmKey: string): HeldLease[] {
    return this.#rows(vmKey);
  }

  #rows(vmKey: string): Row[] {
    return [...(this.#byVm.get(vmKey)?.values() ?? [])];
  }

  #add(request: LeaseRequest): Row {
    const { user, leaseId, vmKey, fence, holder } = request;
    const rows = this.#byVm.get(vmKey) ?? new Map<string, Row>();
    const row: Row = {
      user,
      leaseId,
      vmKey,
      fence,
      holder,
      state: "held",
      cancelExpiry: NO_EXPIRY,
    };
    rows.set(leaseId, row);
    this.#byVm.set(vmKey, rows);
    this.#size += 1;
    return row;
  }

  #renew(row: Row, holder: string): HeldLease {
    if (!this.#options.store.renewLease(row, holder)) throw unknownLease(row.leaseId);
    row.cancelExpiry();
    row.holder = holder;
    row.state = "held";
    return row;
  }

  #assertRoom(vmKey: string): void {
    if ((this.#byVm.get(vmKey)?.size ?? 0) >= BOUNDS.leasesPerVm) throw tooMany();
  }

  #startGrace(holder: string, rows: readonly Row[]): void {
    if (rows.length === 0) return;
    const { clock, graceMs, store, onFault } = this.#options;
    for (const row of rows) this.#expireAfter(row, graceMs);
    try {
      store.startGrace(holder, clock.now() + graceMs);
    } catch (error) {
      // The next life would give it a whole grace again: nothing is lost.
      onFault(error);
    }
  }

  #expireAfter(row: Row, ms: number): void {
    row.state = "grace";
    row.cancelExpiry = this.#options.clock.after(ms, () => this.#expire(row));
  }

  #expire(row: Row): void {
    try {
      if (!this.#options.store.endLease(row)) return;
    } catch (error) {
      // A VM that nobody holds must end on a full disk too; the next life finds it gone.
      this.#options.onFault(error);
    }
    this.#end(row, "expired");
  }

  #end(row: Row, why: LeaseEnd): void {
    if (this.#remove(row)) this.#options.onEnded(row, why);
  }

  #remove(row: Row): boolean {
    row.cancelExpiry();
    const rows = this.#byVm.get(row.vmKey);
    if (rows?.get(row.leaseId) !== row) return false;
    rows.delete(row.leaseId);
    if (rows.size === 0) this.#byVm.delete(row.vmKey);
    this.#size -= 1;
    return true;
  }
}

function unknownLease(leaseId: string): AgentOsError {
  return new AgentOsError("NOT_FOUND", `no lease ${leaseId}: released, expired or never taken`, {
    kind: "lease",
    id: leaseId,
  });
}

function tooMany(): AgentOsError {
  return new AgentOsError(
    "POOL_EXHAUSTED",
    `the VM has ${BOUNDS.leasesPerVm} leases already, the most it can have`,
    {
      limit: "leasesPerVm",
      capacity: BOUNDS.leasesPerVm,
      waiting: 0,
    },
  );
}
