import type { VmRequest } from "@agentos/core";
import { AgentOsError, DEFAULTS } from "@agentos/protocol";

import type { VmCgroup } from "../cgroup/vm-cgroup.ts";
import { type Attached, attachLink } from "../link/attach.ts";
import type { Failure } from "../link/failure.ts";
import type { Link } from "../link/link.ts";
import { LINK_VERSION } from "../link/link-kinds.ts";
import type { TableEntry } from "../link/table-entry.ts";
import { killHostProcess } from "./host-process.ts";
import { SpawnerWatch } from "./spawner-watch.ts";
import { VmEnd } from "./vm-end.ts";
import type { LinuxVmRecord } from "./vm-record.ts";

const RECLAIM_MS = 5_000;
/** What connecting to the socket of a VM that is gone says. */
const GONE_ERRORS = ["ECONNREFUSED", "ENOENT"];

export interface AdoptionOptions {
  request: VmRequest;
  record: LinuxVmRecord;
  secret: Uint8Array;
  epoch: number;
  cgroup: VmCgroup;
  signal: AbortSignal;
}

/** A VM of an earlier sidecar, taken over. */
export interface Adoption {
  readonly link: Link;
  readonly end: VmEnd;
  readonly processes: readonly TableEntry[];
}

/** Connections to spawners of earlier sidecars, one for each: they tell when adopted VMs are gone. */
export class EarlierSpawners implements Disposable {
  readonly #watches = new Map<string, Promise<SpawnerWatch>>();

  /** Never rejects: a spawner that can't be reached is lost. */
  async watch(socketPath: string): Promise<SpawnerWatch> {
    const known = this.#watches.get(socketPath);
    if (known !== undefined) return known;
    const connecting = connectOrLost(socketPath);
    this.#watches.set(socketPath, connecting);
    const watch = await connecting;
    void watch.closed.then(() => this.#watches.delete(socketPath));
    return watch;
  }

  [Symbol.dispose](): void {
    for (const connecting of this.#watches.values()) void connecting.then((watch) => watch.close());
  }
}

async function connectOrLost(socketPath: string): Promise<SpawnerWatch> {
  try {
    return await SpawnerWatch.connect(socketPath, AbortSignal.timeout(DEFAULTS.requestMs));
  } catch {
    // Whatever it is: without it the VM's own socket and process tell of the end.
    return SpawnerWatch.lost(socketPath);
  }
}

/**
 * Attaches to the VM. Rejects with `VM_ENDED` once nothing of a VM that is gone is left, and where
 * the VM refuses with `UNAUTHENTICATED` or `VERSION_MISMATCH`: then it is left to whose it is.
 */
export async function adoptLink(
  spawners: EarlierSpawners,
  options: AdoptionOptions,
): Promise<Adoption> {
  const { request, record, secret, epoch, signal } = options;
  const { linkId, socketPath, pid, startTicks } = record;
  const init = { pid, startTicks };
  const watch = await spawners.watch(record.spawnerPath);
  const told = watch.watchOld(linkId);
  watch.onMemory(linkId, () => options.cgroup.changed());
  const end = new VmEnd({ linkId, socketPath, watch, told, init });
  let attached: Attached;
  try {
    attached = await attachLink({ vmId: request.vmId, socketPath, secret, epoch, signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!GONE_ERRORS.includes(codeOf(error))) throw error;
    // Its init listens as long as it lives, but for the moment in which it ends.
    await killHostProcess(init, signal);
    await end.gone;
    throw ended(request.vmId);
  }
  if (!attached.ok) throw refused(request.vmId, attached.failure);
  return { link: attached.link, end, processes: attached.processes };
}

/** Whether a VM whose link broke now listens to a sidecar of a later epoch. */
export async function isTakenOver(
  vmId: string,
  at: { socketPath: string; secret: Uint8Array; epoch: number },
): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(RECLAIM_MS);
    const attached = await attachLink({ vmId, ...at, signal });
    if (!attached.ok) return attached.failure.errno.name === "ESTALE";
    attached.link.end("it had lost its connection");
    return false;
  } catch {
    // It is gone, or can't be talked to: nobody else talks to it either.
    return false;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function ended(vmId: string): AgentOsError<"VM_ENDED"> {
  const reason = "it ended while no sidecar was there";
  return new AgentOsError("VM_ENDED", `VM ${vmId} has ended: ${reason}`, { vmId, reason });
}

function refused(vmId: string, { errno, step }: Failure): AgentOsError {
  if (step === "version") {
    const offered = String(LINK_VERSION);
    const message = `VM ${vmId} speaks another version of the link than ${offered}`;
    return new AgentOsError("VERSION_MISMATCH", message, { offered, supported: "unknown" });
  }
  const reasons: Readonly<Record<string, string>> = {
    EPERM: "its link has another key",
    ESTALE: "a sidecar of a later epoch has it",
  };
  const reason = reasons[errno.name] ?? errno.name;
  return new AgentOsError("UNAUTHENTICATED", `VM ${vmId} can't be adopted: ${reason}`, { reason });
}
