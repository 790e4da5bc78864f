import { randomUUID } from "node:crypto";

import {
  AgentOsError,
  DEFAULTS,
  isAgentOsError,
  type MethodParams,
  type MethodResult,
  type Placement,
} from "@agentos/protocol";

import type { Connection } from "../connection/connection.ts";
import { joinErrors } from "../sidecar/join-errors.ts";
import { VmAdmin, type VmAdminOptions } from "./vm-admin.ts";

/** Room for the answer of a create that waited its whole time for admission. */
const ANSWER_MARGIN_MS = 5_000;

export interface LeaseSessionOptions {
  connection: Connection;
  placement: Placement;
  reconnect: VmAdminOptions["reconnect"];
  /** How long the sidecar lets a create wait for admission. Default 30 s. */
  waitingCreateMs?: number | undefined;
}

/** What one lease holds at a sidecar: its VMs' administration, given back together. */
export class LeaseSession {
  readonly sessionId = randomUUID();
  readonly placement: Placement;
  readonly #options: LeaseSessionOptions;
  readonly #admins = new Map<string, VmAdmin>();
  #disposed = false;

  constructor(options: LeaseSessionOptions) {
    this.#options = options;
    this.placement = structuredClone(options.placement);
  }

  /** Makes a VM. The same `vmId` again gives the same VM. */
  async createVm(params: MethodParams<"vm.create">, signal?: AbortSignal): Promise<void> {
    const { vmId, leaseId } = params;
    this.#assertOpen(vmId);
    const { connection, waitingCreateMs = DEFAULTS.waitingCreateMs } = this.#options;
    const deadlineMs = DEFAULTS.createMs + waitingCreateMs + ANSWER_MARGIN_MS;
    try {
      this.#register(await connection.request("vm.create", params, { signal, deadlineMs }));
    } catch (error) {
      // Given up on, the create may still have taken effect; where it has not, this does nothing.
      if (isAgentOsError(error, "CANCELLED") || isAgentOsError(error, "DEADLINE_EXCEEDED")) {
        connection.request("lease.release", { leaseId, vmId }).catch(() => undefined);
      }
      throw error;
    }
  }

  /** Another lease on a VM, by id or name. Resolves with the VM's id. */
  async attachVm(params: MethodParams<"vm.attach">, signal?: AbortSignal): Promise<string> {
    this.#assertOpen(params.vm);
    const leased = await this.#options.connection.request("vm.attach", params, { signal });
    this.#register(leased);
    return leased.vm.vmId;
  }

  /** The administration of a VM of this session. */
  vmAdmin(vmId: string): VmAdmin {
    const admin = this.#admins.get(vmId);
    if (admin !== undefined) return admin;
    throw new AgentOsError("NOT_FOUND", `Sidecar VM admin was not registered for ${vmId}`, {
      kind: "vm",
      id: vmId,
    });
  }

  /** Gives every VM back; one failure does not stop the rest. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    const errors: unknown[] = [];
    for (const admin of this.#admins.values()) {
      await admin.release().catch((error: unknown) => errors.push(error));
    }
    this.#admins.clear();
    if (errors.length > 0) throw joinErrors(errors);
  }

  #register({ lease, vm }: MethodResult<"vm.create">): void {
    const { connection, reconnect } = this.#options;
    this.#admins.set(vm.vmId, new VmAdmin({ connection, lease, vm, reconnect }));
  }

  #assertOpen(vmId: string): void {
    if (!this.#disposed) return;
    throw new AgentOsError(
      "DISPOSED",
      `Cannot create VM ${vmId} for disposed sidecar session ${this.sessionId}`,
      { kind: "session", id: this.sessionId },
    );
  }
}
