import { once } from "node:events";
import type { Socket } from "node:net";

import { AgentOsError, DEFAULTS, encodeFrame, FRAME_HEADER_BYTES } from "@agentos/protocol";

import { connectUnix } from "../link/connect.ts";
import { type Failure, readFailure } from "../link/failure.ts";
import { FieldWriter } from "../link/fields.ts";
import { FrameReader } from "../link/frame-reader.ts";
import { FIELD, LINK_KIND, SPAWNER_KINDS } from "../link/link-kinds.ts";

const ESRCH = "ESRCH";

/** WATCH's payload: also tell of VMs whose memory runs out. */
const WITH_MEMORY = Uint8Array.of(1);

/** How a VM's end became known. `lost`: the spawner died first, so somebody else must look. */
export type Gone = "gone" | "lost";

/** open -> closed, once. */
type WatchState = "open" | "closed";

/** A connection with a spawner, of this life or an earlier one, that tells when each VM is gone. */
export class SpawnerWatch {
  readonly socketPath: string;
  /** Resolves, never rejects, once nothing is told any more. */
  readonly closed: Promise<void>;
  readonly #socket: Socket | undefined;
  readonly #closing = Promise.withResolvers<void>();
  readonly #listed = Promise.withResolvers<void>();
  readonly #waiting = new Map<string, (how: Gone) => void>();
  readonly #live = new Set<string>();
  readonly #memory = new Map<string, () => void>();
  readonly #reader = new FrameReader(SPAWNER_KINDS, (kind, _stream, _offset, frame) => {
    if (kind === LINK_KIND.live) this.#live.add(vmIdOf(frame));
    else if (kind === LINK_KIND.end) this.#listed.resolve();
    else if (kind === LINK_KIND.gone) this.#resolve(vmIdOf(frame), "gone");
    else if (kind === LINK_KIND.memory) this.#memory.get(vmIdOf(frame))?.();
  });
  #state: WatchState = "open";

  private constructor(socketPath: string, socket: Socket | undefined) {
    this.socketPath = socketPath;
    this.closed = this.#closing.promise;
    this.#socket = socket;
    if (socket === undefined) {
      this.close();
      return;
    }
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("end", () => socket.end());
    // What ended it makes no difference: close follows.
    socket.on("error", () => {});
    socket.on("close", () => this.close());
    socket.write(encodeFrame(LINK_KIND.watch, 0, 0, WITH_MEMORY));
  }

  /** Rejects with the connection's error or the signal's reason. */
  static async connect(socketPath: string, signal: AbortSignal): Promise<SpawnerWatch> {
    return new SpawnerWatch(socketPath, await connectUnix(socketPath, signal));
  }

  /** That of a spawner that is gone. */
  static lost(socketPath: string): SpawnerWatch {
    return new SpawnerWatch(socketPath, undefined);
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Call before CREATE is sent: resolves once no process of the VM is left. */
  watch(vmId: string): Promise<Gone> {
    if (this.#state === "closed") return Promise.resolve("lost");
    const { promise, resolve } = Promise.withResolvers<Gone>();
    this.#waiting.set(vmId, resolve);
    return promise;
  }

  /** The same of a VM that existed before this connection: it is gone where it is not listed. */
  async watchOld(vmId: string): Promise<Gone> {
    const told = this.watch(vmId);
    await Promise.race([this.#listed.promise, told]);
    if (!this.#live.has(vmId)) this.#resolve(vmId, this.isOpen ? "gone" : "lost");
    return told;
  }

  /** Calls back when the VM's memory may have run out, until it is gone; not more often than twice a second. */
  onMemory(vmId: string, callback: () => void): void {
    if (this.#state === "open") this.#memory.set(vmId, callback);
  }

  /** SIGKILL to the VM's init. False: the spawner knows no such VM, or none any more. */
  async kill(vmId: string): Promise<boolean> {
    const socket = await connectUnix(this.socketPath, AbortSignal.timeout(DEFAULTS.requestMs));
    const payload = new FieldWriter().text(FIELD.vmId, vmId).finish();
    const failure = await ask(socket, encodeFrame(LINK_KIND.kill, 0, 0, payload));
    if (failure === undefined) return true;
    if (failure.errno.name === ESRCH) return false;
    throw new AgentOsError("INTERNAL", `the spawner could not end VM ${vmId}: ${failure.step}`, {
      reason: failure.errno.name,
    });
  }

  /** For a VM that the spawner certainly does not know: its `watch` resolves. */
  forget(vmId: string): void {
    this.#resolve(vmId, "gone");
  }

  /** Who still waits is told that the spawner is lost. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#memory.clear();
    this.#socket?.destroy();
    for (const vmId of this.#waiting.keys()) this.#resolve(vmId, "lost");
    this.#closing.resolve();
  }

  #read(chunk: Uint8Array): void {
    try {
      this.#reader.push(chunk);
    } catch {
      // Out of step: what it says about ends can't be believed, so it counts as lost.
      this.close();
    }
  }

  #resolve(vmId: string, how: Gone): void {
    this.#live.delete(vmId);
    this.#memory.delete(vmId);
    this.#waiting.get(vmId)?.(how);
    this.#waiting.delete(vmId);
  }
}

function vmIdOf(frame: Uint8Array): string {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  return bytes.toString("latin1", FRAME_HEADER_BYTES);
}

/** Sends one frame and resolves at the close: with the FAIL that came, if one did. */
async function ask(socket: Socket, frame: Uint8Array): Promise<Failure | undefined> {
  let failure: Failure | undefined;
  const reader = new FrameReader(SPAWNER_KINDS, (kind, _stream, _offset, answer) => {
    if (kind === LINK_KIND.fail) failure = readFailure(answer);
  });
  socket.on("data", (chunk: Buffer) => reader.push(chunk));
  socket.on("end", () => socket.end());
  const closed = once(socket, "close", { signal: AbortSignal.timeout(DEFAULTS.requestMs) });
  socket.write(frame);
  try {
    await closed;
  } finally {
    socket.destroy();
  }
  return failure;
}
