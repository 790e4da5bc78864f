import { readFileSync } from "node:fs";
import type { SQLInputValue } from "node:sqlite";

import type { RelayStores, SessionStore, VmRecord, WorkflowStore } from "@agentos/core";
import type { NetworkPolicy, VmSpec } from "@agentos/protocol";

import { BOUNDS } from "../bounds.ts";
import { type EndedVm, readEndedVm } from "./ended-vm.ts";
import { openDatabase } from "./open-database.ts";
import { SealedText } from "./sealed-text.ts";
import { SnapshotStore } from "./snapshot-store.ts";
import { SqliteRelayStores } from "./sqlite-relay-stores.ts";
import { SqliteSessionStore } from "./sqlite-session-store.ts";
import { SqliteWorkflowStore } from "./sqlite-workflow-store.ts";
import { StateFile } from "./state-file.ts";
import { startFailure } from "./store-failure.ts";
import { readStoredLease, type StoredLease } from "./stored-lease.ts";
import { readStoredVm, type StoredVm } from "./stored-vm.ts";

export interface StoreOptions {
  /** Undefined: in memory, for a sidecar that nobody succeeds. */
  path?: string | undefined;
  /** The pool's key: what may hold secrets is sealed with it. */
  key: Uint8Array;
  /** Default `BOUNDS.storeBytes`. */
  maxBytes?: number | undefined;
}

export interface Restored {
  vms: StoredVm[];
  leases: StoredLease[];
  /** False: nothing of it lives any more. */
  isSameBoot: boolean;
  /** VMs whose rows could not be read. */
  unreadable: number;
}

/** What survives a sidecar: its VMs, who holds them, its sessions and workflows. Every write is on disk, as far as a dying process is concerned, when it returns. */
export class Store implements Disposable {
  readonly sessions: SessionStore;
  readonly snapshots: SnapshotStore;
  readonly workflows: WorkflowStore;
  readonly relay: RelayStores;
  readonly #file: StateFile;
  readonly #sealed: SealedText;
  readonly #isSameBoot: boolean;

  /** Throws `SIDECAR_START_FAILED`, and the file is as it was. */
  constructor({ path, key, maxBytes = BOUNDS.storeBytes }: StoreOptions) {
    this.#file = new StateFile(openDatabase(path, maxBytes));
    this.#sealed = new SealedText(key);
    this.sessions = new SqliteSessionStore(this.#file, this.#sealed);
    this.snapshots = new SnapshotStore(this.#file);
    this.workflows = new SqliteWorkflowStore(this.#file, this.#sealed);
    this.relay = new SqliteRelayStores(this.#file, this.#sealed);
    this.#isSameBoot = this.#noteBoot(path ?? "in memory");
  }

  /** What an earlier life of this sidecar left. Rows that can't be read are dropped. Throws `SIDECAR_START_FAILED`. */
  restore(): Restored {
    try {
      const rows = this.#file.all("SELECT * FROM vms ORDER BY started_ms");
      const vms = rows.flatMap((row) => this.#readable(row));
      const leases = this.#file.all("SELECT * FROM leases").map((row) => readStoredLease(row));
      const unreadable = rows.length - vms.length;
      return { vms, leases, isSameBoot: this.#isSameBoot, unreadable };
    } catch (error) {
      throw startFailure(this.#file.database.location() ?? "in memory", error);
    }
  }

  addVm(vm: Omit<StoredVm, "processesEndMs" | "network">): void {
    const spec = this.#sealed.seal(JSON.stringify(vm.spec));
    const record = recordText(vm.record);
    const { key, user, driver, fence, createdAt, startedMs } = vm;
    const values = [key, user, spec, driver, record, fence, createdAt, startedMs];
    this.#file.run("INSERT INTO vms VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)", ...values);
  }

  /** How the next life finds the VM, where that has changed. */
  setRecord(key: string, record: VmRecord | undefined): void {
    this.#file.run("UPDATE vms SET record = ? WHERE key = ?", recordText(record), key);
  }

  /** What the VM is to be from now on. */
  setSpec(key: string, spec: VmSpec): void {
    const sealed = this.#sealed.seal(JSON.stringify(spec));
    this.#file.run("UPDATE vms SET spec = ? WHERE key = ?", sealed, key);
  }

  /** With its leases. */
  removeVm(key: string): void {
    this.#file.run("DELETE FROM vms WHERE key = ?", key);
  }

  /** With its leases. How it ended is remembered of the last `BOUNDS.endedVms`. */
  buryVm({ key, user, vmId, name, reason, detail }: EndedVm): void {
    // By itself, so that it holds where there is no room for the rest.
    this.removeVm(key);
    const values = [key, user, vmId, name ?? null, reason, detail ?? null];
    this.#file.transact(() => {
      this.#file.change(
        "INSERT OR REPLACE INTO ended_vms (key, user, vm_id, name, reason, detail) VALUES (?, ?, ?, ?, ?, ?)",
        ...values,
      );
      this.#file.change(
        "DELETE FROM ended_vms WHERE seq <= (SELECT max(seq) FROM ended_vms) - ?",
        BOUNDS.endedVms,
      );
    });
  }

  /** A VM that has ended, in this life or an earlier one. Throws where it can't be read. */
  endedVm(key: string): EndedVm | undefined {
    const [row] = this.#file.all("SELECT * FROM ended_vms WHERE key = ?", key);
    return row === undefined ? undefined : readEndedVm(row);
  }

  /** The last of a user's VMs of that name that has ended. Throws where it can't be read. */
  endedVmNamed(user: string, name: string): EndedVm | undefined {
    const sql = "SELECT * FROM ended_vms WHERE user = ? AND name = ? ORDER BY seq DESC LIMIT 1";
    const [row] = this.#file.all(sql, user, name);
    return row === undefined ? undefined : readEndedVm(row);
  }

  /** Another one than it was created with. */
  setNetwork(key: string, network: NetworkPolicy): void {
    this.#file.run("UPDATE vms SET network = ? WHERE key = ?", JSON.stringify(network), key);
  }

  /** When the processes of a VM without a lease end; undefined where it has one again. */
  setProcessesEnd(key: string, endMs: number | undefined): void {
    this.#file.run("UPDATE vms SET processes_end_ms = ? WHERE key = ?", endMs ?? null, key);
  }

  addLease(lease: Omit<StoredLease, "expiresMs">): void {
    const { vmKey, leaseId, user, fence, holder } = lease;
    const values = [vmKey, leaseId, user, fence, holder];
    this.#file.run("INSERT INTO leases VALUES (?, ?, ?, ?, ?, NULL)", ...values);
  }

  /** Raises the VM's fence to the lease's, ends every lease below it, and adds this one: all or nothing. */
  takeOver(lease: Omit<StoredLease, "expiresMs">): void {
    const { vmKey, fence } = lease;
    this.#file.transact(() => {
      this.#file.change("UPDATE vms SET fence = ? WHERE key = ?", fence, vmKey);
      this.#file.change("DELETE FROM leases WHERE vm_key = ? AND fence < ?", vmKey, fence);
      this.addLease(lease);
    });
  }

  /** Gives the lease to another connection. False: it is not what the caller takes it for, and nothing changed. */
  renewLease(lease: Omit<StoredLease, "expiresMs">, holder: string): boolean {
    const set = "UPDATE leases SET holder = ?, expires_ms = NULL";
    return this.#file.run(`${set} ${THIS_LEASE}`, holder, ...thisLease(lease)) === 1;
  }

  /** Ends the lease. False: it was renewed meanwhile, or is over, and nothing changed. */
  endLease(lease: Omit<StoredLease, "expiresMs">): boolean {
    return this.#file.run(`DELETE FROM leases ${THIS_LEASE}`, ...thisLease(lease)) === 1;
  }

  /** Everything that the connection holds ends at `expiresMs`, unless it is renewed. */
  startGrace(holder: string, expiresMs: number): void {
    const set = "UPDATE leases SET expires_ms = ? WHERE holder = ? AND expires_ms IS NULL";
    this.#file.run(set, expiresMs, holder);
  }

  [Symbol.dispose](): void {
    if (this.#file.database.isOpen) this.#file.database.close();
  }

  #readable(row: Record<string, unknown>): StoredVm[] {
    try {
      return [readStoredVm(row, this.#sealed)];
    } catch {
      // Sealed with a key that is gone: no sidecar can take that VM over.
      this.#file.change("DELETE FROM vms WHERE key = ?", String(row["key"]));
      return [];
    }
  }

  /** Whether the machine has not booted since the last life. */
  #noteBoot(where: string): boolean {
    try {
      const boot = bootId();
      const [row] = this.#file.all("SELECT value FROM meta WHERE name = 'boot'");
      if (row?.["value"] === boot) return true;
      this.#file.change("INSERT OR REPLACE INTO meta VALUES ('boot', ?)", boot);
      return false;
    } catch (error) {
      this.#file.database.close();
      throw startFailure(where, error);
    }
  }
}

/** The one compare-and-set that decides between a renewal and an end: whoever comes second finds another holder, or none. */
const THIS_LEASE = "WHERE vm_key = ? AND lease_id = ? AND fence = ? AND holder = ?";

function thisLease({
  vmKey,
  leaseId,
  fence,
  holder,
}: Omit<StoredLease, "expiresMs">): SQLInputValue[] {
  return [vmKey, leaseId, fence, holder];
}

function recordText(record: VmRecord | undefined): string | null {
  return record === undefined ? null : JSON.stringify(record);
}

/** This boot of the machine: no VM survives it, and the clock begins anew with it. */
function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    // Not Linux: no driver there hands VMs over.
    return "";
  }
}
