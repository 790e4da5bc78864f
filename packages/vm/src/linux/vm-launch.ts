import { setTimeout as sleep } from "node:timers/promises";
import { unlink } from "node:fs/promises";

import type { VmRequest } from "@agentos/core";
import { AgentOsError, encodeFrame, isAgentOsError } from "@agentos/protocol";

import { connectUnix } from "../link/connect.ts";
import { Handshake } from "../link/handshake.ts";
import { Link } from "../link/link.ts";
import { LINK_KIND } from "../link/link-kinds.ts";
import { hostProcess, type HostProcess, isAlive, killHostProcess } from "./host-process.ts";
import type { Spawner } from "./spawner.ts";
import { startError, startFailed } from "./start-failure.ts";

const LOST_POLL_MS = 100;
const TEAR_DOWN_MS = 10_000;

export interface LaunchOptions {
  request: VmRequest;
  spawner: Spawner;
  socketPath: string;
  /** Payloads of the two first frames. */
  create: Uint8Array;
  config: Uint8Array;
}

/** One VM from its first frame to the last trace of it. */
export class VmLaunch {
  /** Resolves, never rejects, once no process, mount or socket of the VM is left. */
  readonly gone: Promise<void>;
  readonly #options: LaunchOptions;
  readonly #vmId: string;
  readonly #handshake = new Handshake("launching");
  #init: HostProcess | undefined;
  #link: Link | undefined;

  constructor(options: LaunchOptions) {
    this.#options = options;
    this.#vmId = options.request.vmId;
    // Asked for before the VM can exist, so that no end is missed.
    this.gone = this.#untilGone(options.spawner.watch(this.#vmId));
  }

  /** Resolves with the link of a sealed VM. On a rejection nothing of the VM is left. */
  async run(signal: AbortSignal): Promise<Link> {
    try {
      return await this.#start(signal);
    } catch (error) {
      await this.#tearDown();
      throw error;
    }
  }

  /** SIGKILL to the VM's init. */
  async kill(): Promise<void> {
    const { spawner } = this.#options;
    try {
      if (spawner.isRunning) {
        if (!(await spawner.kill(this.#vmId))) await this.#settle(spawner);
        return;
      }
    } catch (error) {
      // Died in between: its VMs are children of nobody who could be asked.
      if (spawner.isRunning) throw error;
    }
    if (this.#init !== undefined) {
      await killHostProcess(this.#init, AbortSignal.timeout(TEAR_DOWN_MS));
    }
  }

  /**
   * The spawner says that it knows no such VM. It may not have read CREATE yet, so the connection
   * that carries it must be closed from there before that counts.
   */
  async #settle(spawner: Spawner): Promise<void> {
    await this.#link?.disconnected;
    if (!(await spawner.kill(this.#vmId))) spawner.forget(this.#vmId);
  }

  async #start(signal: AbortSignal): Promise<Link> {
    const { spawner, create, config, request } = this.#options;
    const socket = await connectUnix(spawner.socketPath, signal);
    const link = new Link(this.#vmId, socket, this.#handshake);
    this.#link = link;
    // One write: PID 1 inherits the connection and finds its configuration there.
    socket.write(
      Buffer.concat([
        encodeFrame(LINK_KIND.create, 0, 0, create),
        encodeFrame(LINK_KIND.config, 0, 0, config),
      ]),
    );
    const onAbort = (): void => link.hangUp("its start was given up");
    signal.addEventListener("abort", onAbort, { once: true });
    // An abort from before is told to nobody.
    if (signal.aborted) onAbort();
    try {
      const result = await this.#handshake.ready;
      if (!result.ok) throw await startError(this.#vmId, request.mounts, result.failure);
      this.#init = await hostProcess(await this.#handshake.launched);
      return link;
    } catch (error) {
      signal.throwIfAborted();
      if (!isAgentOsError(error, "VM_ENDED")) throw error;
      throw startFailed(this.#vmId, error.details.reason, undefined, error);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async #tearDown(): Promise<void> {
    this.#link?.hangUp("its start failed");
    await this.kill();
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(notGone(this.#vmId)), TEAR_DOWN_MS);
    try {
      await Promise.race([this.gone, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #untilGone(told: ReturnType<Spawner["watch"]>): Promise<void> {
    if ((await told) === "gone") return;
    // The kernel ends every process of a VM before its init can be seen to be gone.
    // oxlint-disable-next-line no-await-in-loop
    while (this.#init !== undefined && (await isAlive(this.#init))) {
      // oxlint-disable-next-line no-await-in-loop
      await sleep(LOST_POLL_MS);
    }
    // Removed by whoever was faster.
    await unlink(this.#options.socketPath).catch(() => {});
  }
}

function notGone(vmId: string): AgentOsError<"DEADLINE_EXCEEDED"> {
  return new AgentOsError(
    "DEADLINE_EXCEEDED",
    `expected VM ${vmId}, whose start failed, to be gone within ${TEAR_DOWN_MS} ms`,
    { operation: "vm.create", deadlineMs: TEAR_DOWN_MS },
  );
}
