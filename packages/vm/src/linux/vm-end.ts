import { unlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

import { type HostProcess, isAlive, killHostProcess } from "./host-process.ts";
import type { Gone, SpawnerWatch } from "./spawner-watch.ts";

const LOST_POLL_MS = 100;
const KILL_MS = 10_000;
/** A spawner that refuses connections and still holds one for longer is alive. */
const DYING_MS = 1_000;

export interface VmEndOptions {
  /** The VM's id between us and its spawner. */
  linkId: string;
  socketPath: string;
  watch: SpawnerWatch;
  told: Promise<Gone>;
  /** The VM's init, where it is known already. */
  init?: HostProcess;
}

/** How one VM is ended, and when it is gone: through its spawner, and where that is gone without it. */
export class VmEnd {
  /** Resolves, never rejects, once no process, mount or socket of the VM is left. */
  readonly gone: Promise<void>;
  readonly #options: VmEndOptions;
  #init: HostProcess | undefined;
  #disconnected: Promise<void> = Promise.resolve();

  constructor(options: VmEndOptions) {
    this.#options = options;
    this.#init = options.init;
    this.gone = this.#untilGone();
  }

  get init(): HostProcess | undefined {
    return this.#init;
  }

  /** The connection that carries the VM's CREATE: closed once that was read, or never will be. */
  isBegunOn(disconnected: Promise<void>): void {
    this.#disconnected = disconnected;
  }

  /** The VM's first process became known. */
  hasInit(init: HostProcess | undefined): void {
    this.#init = init;
  }

  /** SIGKILL to the VM's init. */
  async kill(): Promise<void> {
    const { watch, linkId } = this.#options;
    try {
      if (watch.isOpen) {
        if (!(await watch.kill(linkId))) await this.#settle();
        return;
      }
    } catch (error) {
      // Died in between, which is seen a moment later: its VMs are children of nobody who could be asked.
      if (!(await isClosed(watch))) throw error;
    }
    if (this.#init !== undefined) {
      await killHostProcess(this.#init, AbortSignal.timeout(KILL_MS));
    }
  }

  /**
   * The spawner says that it knows no such VM. It may not have read CREATE yet, so the connection
   * that carries it must be closed from there before that counts.
   */
  async #settle(): Promise<void> {
    const { watch, linkId } = this.#options;
    await this.#disconnected;
    if (!(await watch.kill(linkId))) watch.forget(linkId);
  }

  async #untilGone(): Promise<void> {
    const { told, socketPath } = this.#options;
    if ((await told) === "gone") return;
    // The kernel ends every process of a VM before its init can be seen to be gone. Who must not end
    // before that has a deadline that keeps it.
    // oxlint-disable-next-line no-await-in-loop
    while (this.#init !== undefined && (await isAlive(this.#init))) {
      // oxlint-disable-next-line no-await-in-loop
      await sleep(LOST_POLL_MS, undefined, { ref: false });
    }
    // Removed by whoever was faster.
    await unlink(socketPath).catch(() => {});
  }
}

async function isClosed(watch: SpawnerWatch): Promise<boolean> {
  if (watch.isOpen) await Promise.race([watch.closed, sleep(DYING_MS, undefined, { ref: false })]);
  return !watch.isOpen;
}
