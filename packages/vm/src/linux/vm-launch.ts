import { setImmediate as nextTurn } from "node:timers/promises";

import type { VmRequest } from "@agentos/core";
import { AgentOsError, encodeFrame, isAgentOsError } from "@agentos/protocol";

import type { CgroupLimits, VmCgroup } from "../cgroup/vm-cgroup.ts";
import { connectUnix } from "../link/connect.ts";
import { Handshake } from "../link/handshake.ts";
import { Link } from "../link/link.ts";
import { LINK_KIND } from "../link/link-kinds.ts";
import { hostProcessNow } from "./host-process.ts";
import type { Identity } from "./identity.ts";
import type { SpawnerWatch } from "./spawner-watch.ts";
import { startError, startFailed } from "./start-failure.ts";
import { VmEnd } from "./vm-end.ts";

const TEAR_DOWN_MS = 10_000;
/** KEEP's payloads: whether the VM waits for the next sidecar when it loses this one. */
const NOT_KEPT = Uint8Array.of(0);
const KEPT = Uint8Array.of(1);

export interface LaunchOptions {
  /** The VM's id between us and its spawner. */
  linkId: string;
  watch: SpawnerWatch;
  socketPath: string;
  secret: Uint8Array;
  identity: Identity;
  cgroup: VmCgroup;
  /** CREATE's payload. */
  create: Uint8Array;
  /** PREPARE's payload. */
  image: Uint8Array;
}

export interface VmStart {
  readonly request: VmRequest;
  /** CONFIG's payload, for a VM with that host id. */
  readonly config: (hostId: number | undefined) => Promise<Uint8Array>;
  /** What the VM's cgroups are to hold it to. */
  readonly limits: CgroupLimits;
  /** It is nobody's until `lease`. */
  readonly isSpare?: boolean;
}

/** One VM from its first frame to the last trace of it. */
export class VmLaunch {
  readonly options: LaunchOptions;
  readonly end: VmEnd;
  readonly #handshake = new Handshake("launching");
  readonly #spoiled = Promise.withResolvers<void>();
  #link: Link | undefined;
  #isSpoiled = false;
  #isRefused = false;

  constructor(options: LaunchOptions) {
    this.options = options;
    const { linkId, socketPath, watch } = options;
    // Asked for before the VM can exist, so that no end is missed.
    this.end = new VmEnd({ linkId, socketPath, watch, told: watch.watch(linkId) });
  }

  /** Resolves, never rejects, when the VM failed or lost its link. */
  get spoiled(): Promise<void> {
    return this.#spoiled.promise;
  }

  /** Whether it was the configuration that failed. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** Whether a configuration could still be sent. */
  get isUsable(): boolean {
    return !this.#isSpoiled && this.options.watch.isOpen;
  }

  /** The VM comes up as far as it can without a configuration. */
  async prepare(signal: AbortSignal): Promise<void> {
    if (this.#link === undefined) await this.#open(signal);
  }

  /** A sealed VM that was nobody's is the VM of that id. */
  lease(vmId: string): Link {
    const link = this.#link;
    if (link === undefined) throw new Error("expected a launch that was started");
    link.vmId = vmId;
    link.send(LINK_KIND.keep, 0, KEPT);
    return link;
  }

  /** Resolves with the link of a sealed VM. On a rejection nothing of the VM is left. */
  async start({ request, config, limits, isSpare }: VmStart, signal: AbortSignal): Promise<Link> {
    try {
      const payload = await config(this.options.identity.hostId);
      const frame = encodeFrame(LINK_KIND.config, 0, 0, payload);
      if (isSpare === true) await this.prepare(signal);
      const waiting = this.#link;
      const link = waiting ?? (await this.#open(signal, frame));
      if (isSpare === true) link.send(LINK_KIND.keep, 0, NOT_KEPT);
      waiting?.send(LINK_KIND.config, 0, payload);
      link.vmId = request.vmId;
      await Promise.all([this.#ready(link, request, signal), this.#hold(limits)]);
      return link;
    } catch (error) {
      await this.discard();
      throw error;
    }
  }

  /** Ends the VM, however far it is. Rejects with `DEADLINE_EXCEEDED`. */
  async discard(): Promise<void> {
    this.#link?.hangUp("its start failed");
    await this.end.kill();
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(notGone(this.options.linkId)), TEAR_DOWN_MS);
    try {
      await Promise.race([this.end.gone, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** One write: PID 1 inherits the connection and finds there what follows CREATE. */
  async #open(signal: AbortSignal, ...more: readonly Uint8Array[]): Promise<Link> {
    const { watch, linkId, create, image } = this.options;
    const socket = await connectUnix(watch.socketPath, signal);
    const link = new Link(linkId, socket, this.#handshake);
    this.#link = link;
    this.end.isBegunOn(link.disconnected);
    const frames = [
      encodeFrame(LINK_KIND.create, 0, 0, create),
      encodeFrame(LINK_KIND.prepare, 0, 0, image),
    ];
    socket.write(Buffer.concat([...frames, ...more]));
    void link.closed.then(() => this.#spoil());
    this.#handshake.launched.then(
      (pid) => this.end.hasInit(hostProcessNow(pid)),
      () => this.#spoil(),
    );
    return link;
  }

  /** CONFIG goes out first: PID 1 seals while this is written. */
  async #hold(limits: CgroupLimits): Promise<void> {
    await nextTurn();
    await this.options.cgroup.apply(limits);
  }

  async #ready(link: Link, request: VmRequest, signal: AbortSignal): Promise<void> {
    const { vmId, mounts } = request;
    const onAbort = (): void => link.hangUp("its start was given up");
    signal.addEventListener("abort", onAbort, { once: true });
    // An abort from before is told to nobody.
    if (signal.aborted) onAbort();
    try {
      const result = await this.#handshake.ready;
      this.#isRefused = !result.ok;
      if (!result.ok) throw await startError(vmId, mounts, result.failure);
      link.walls = result.walls;
    } catch (error) {
      signal.throwIfAborted();
      if (!isAgentOsError(error, "VM_ENDED")) throw error;
      throw startFailed(vmId, error.details.reason, undefined, error);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  #spoil(): void {
    this.#isSpoiled = true;
    this.#spoiled.resolve();
  }
}

function notGone(vmId: string): AgentOsError<"DEADLINE_EXCEEDED"> {
  return new AgentOsError(
    "DEADLINE_EXCEEDED",
    `expected VM ${vmId}, whose start failed, to be gone within ${TEAR_DOWN_MS} ms`,
    { operation: "vm.create", deadlineMs: TEAR_DOWN_MS },
  );
}
