import type { Clock } from "@agentos/core";
import { AgentOsError } from "@agentos/protocol";

import { BOUNDS } from "../bounds.ts";

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

export interface LeaseTableOptions {
  clock: Clock;
  /** How long a lease outlives its connection. */
  graceMs: number;
  /** A lease is over; the table no longer knows it. */
  onEnded: (lease: HeldLease, why: LeaseEnd) => void;
}

interface Row extends HeldLease {
  holder: string;
  state: "held" | "grace";
  cancelExpiry: () => void;
}

/** Who holds which VM, and until when. Pure but for the clock. */
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

  /** Takes a lease. The same id on the same VM again is the same lease, held by the new holder. */
  acquire(request: LeaseRequest): HeldLease {
    const rows = this.#byVm.get(request.vmKey) ?? new Map<string, Row>();
    const known = rows.get(request.leaseId);
    if (known !== undefined) return this.#hold(known, request.holder);
    if (rows.size >= BOUNDS.leasesPerVm) throw tooMany();
    const row: Row = { ...request, state: "held", cancelExpiry: () => undefined };
    rows.set(request.leaseId, row);
    this.#byVm.set(request.vmKey, rows);
    this.#size += 1;
    return row;
  }

  /** Holds a lease again on another connection. Throws `NOT_FOUND` where it is over, `FENCED` where its fence is another. */
  resume(request: LeaseRequest): HeldLease {
    const row = this.find(request.vmKey, request.leaseId);
    if (row === undefined) throw unknownLease(request.leaseId);
    return this.#hold(row, request.holder);
  }

  /** Gives a lease back. Unknown or over: nothing happens. */
  release(vmKey: string, leaseId: string): void {
    const row = this.find(vmKey, leaseId);
    if (row !== undefined) this.#end(row, "released");
  }

  /** Ends every lease on the VM with a lower fence. */
  fenceBelow(vmKey: string, fence: number): void {
    for (const row of this.#rows(vmKey)) if (row.fence < fence) this.#end(row, "fenced");
  }

  /** Starts the grace of everything that the connection holds. */
  connectionLost(holder: string): void {
    for (const rows of this.#byVm.values()) {
      for (const row of rows.values()) if (row.holder === holder) this.#startGrace(row);
    }
  }

  /** The VM is gone: its leases are over, and nobody is called for them. */
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

  #hold(row: Row, holder: string): HeldLease {
    row.cancelExpiry();
    row.holder = holder;
    row.state = "held";
    return row;
  }

  #startGrace(row: Row): void {
    if (row.state === "grace") return;
    row.state = "grace";
    row.cancelExpiry = this.#options.clock.after(this.#options.graceMs, () =>
      this.#end(row, "expired"),
    );
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
