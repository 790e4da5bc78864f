import { once } from "node:events";
import { unlink } from "node:fs/promises";
import type { Socket } from "node:net";

import { AgentOsError, DEFAULTS, encodeFrame, FRAME_HEADER_BYTES } from "@agentos/protocol";
import { execa, type ResultPromise } from "execa";

import { connectUnix } from "../link/connect.ts";
import { type Failure, readFailure } from "../link/failure.ts";
import { FieldWriter } from "../link/fields.ts";
import { FrameReader } from "../link/frame-reader.ts";
import { FIELD, LINK_KIND, SPAWNER_KINDS } from "../link/link-kinds.ts";
import { unavailable } from "./vmd-binary.ts";

const START_MS = 5_000;
const END_MS = 5_000;
const KEPT_STDERR_LINES = 20;
const ESRCH = "ESRCH";

const PROCESS_OPTIONS = {
  // The VMs' init would show what it inherited.
  env: {},
  extendEnv: false,
  cwd: "/",
  // Out of the terminal's process group: an interrupt there is the sidecar's to handle.
  detached: true,
  cleanup: false,
  buffer: false,
  reject: false,
  stdin: "pipe",
  stdout: "pipe",
  stderr: "pipe",
} as const;

type SpawnerProcess = ResultPromise<typeof PROCESS_OPTIONS>;

/** running -> ending (told to) or lost (by itself); the process may live on in neither. */
type SpawnerState = "running" | "ending" | "lost";

/** How a VM's end became known. `lost`: the spawner died first, so somebody else must look. */
export type Gone = "gone" | "lost";

/** The resident vmd that starts VMs, and tells when each is gone to its last process. */
export class Spawner implements AsyncDisposable {
  readonly socketPath: string;
  /** Resolves, never rejects, once this spawner can start no VM any more. */
  readonly ended: Promise<void>;
  readonly #process: SpawnerProcess;
  readonly #watch: Socket;
  readonly #ended = Promise.withResolvers<void>();
  readonly #waiting = new Map<string, (how: Gone) => void>();
  readonly #reader = new FrameReader(SPAWNER_KINDS, (kind, _stream, _offset, frame) => {
    if (kind === LINK_KIND.gone) this.#gone(frame);
  });
  #state: SpawnerState = "running";

  private constructor(socketPath: string, running: SpawnerProcess, watch: Socket) {
    this.socketPath = socketPath;
    this.#process = running;
    this.#watch = watch;
    this.ended = this.#ended.promise;
    watch.on("data", (chunk: Buffer) => this.#read(chunk));
    watch.on("end", () => watch.end());
    // What ended it makes no difference: close follows.
    watch.on("error", () => {});
    watch.on("close", () => this.#finish("lost"));
  }

  /** Starts one on `socketPath`. Rejects with `DRIVER_UNAVAILABLE`, and nothing is left. */
  static async start(vmd: string, socketPath: string): Promise<Spawner> {
    const running = execa(vmd, ["spawner", socketPath], PROCESS_OPTIONS);
    const stderr = keepLines(running);
    // A write to a spawner that has died is no news.
    running.stdin.on("error", () => {});
    try {
      await ready(running);
      const watch = await connectUnix(socketPath, AbortSignal.timeout(START_MS));
      watch.write(encodeFrame(LINK_KIND.watch, 0, 0));
      return new Spawner(socketPath, running, watch);
    } catch (cause) {
      running.kill("SIGKILL");
      await running;
      const said = stderr.at(-1);
      const reason = said === undefined ? "" : `: ${said}`;
      throw unavailable(`its spawner did not start${reason}`, undefined, cause);
    }
  }

  /** The process, for whoever looks for what is left. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  get isRunning(): boolean {
    return this.#state === "running";
  }

  /** Call before CREATE is sent: resolves once no process of the VM is left. */
  watch(vmId: string): Promise<Gone> {
    if (this.#state !== "running") return Promise.resolve("lost");
    const { promise, resolve } = Promise.withResolvers<Gone>();
    this.#waiting.set(vmId, resolve);
    return promise;
  }

  /** SIGKILL to the VM's init. False: it knows no such VM, or none any more. */
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

  /** For a VM that it certainly does not know: its `watch` resolves. */
  forget(vmId: string): void {
    this.#resolve(vmId, "gone");
  }

  /** Ends the spawner; VMs still alive end with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === "running") this.#finish("ending");
    this.#process.stdin.end();
    this.#watch.destroy();
    const timer = setTimeout(() => this.#process.kill("SIGTERM"), END_MS);
    const lastTimer = setTimeout(() => this.#process.kill("SIGKILL"), 2 * END_MS);
    await this.#process;
    clearTimeout(timer);
    clearTimeout(lastTimer);
    // The spawner removes it, unless it died.
    await unlink(this.socketPath).catch(() => {});
  }

  #read(chunk: Uint8Array): void {
    try {
      this.#reader.push(chunk);
    } catch {
      // Out of step: what it says about ends can't be believed, so it counts as lost.
      this.#watch.destroy();
    }
  }

  #gone(frame: Uint8Array): void {
    const vmId = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString(
      "latin1",
      FRAME_HEADER_BYTES,
    );
    this.#resolve(vmId, "gone");
  }

  #resolve(vmId: string, how: Gone): void {
    this.#waiting.get(vmId)?.(how);
    this.#waiting.delete(vmId);
  }

  #finish(state: "ending" | "lost"): void {
    if (this.#state !== "running") return;
    this.#state = state;
    this.#ended.resolve();
    for (const vmId of this.#waiting.keys()) this.#resolve(vmId, "lost");
  }
}

/** Resolves with the line `ready`. */
async function ready(running: SpawnerProcess): Promise<void> {
  const signal = AbortSignal.timeout(START_MS);
  const line = once(running.stdout, "data", { signal });
  const result = await Promise.race([line, running]);
  const said = Array.isArray(result) ? String(result[0]) : "";
  if (said !== "ready\n") throw new Error(`expected "ready", got ${JSON.stringify(said)}`);
  // Nothing more comes, and an unread pipe would fill.
  running.stdout.resume();
}

/** The last lines of stderr, oldest first. */
function keepLines(running: SpawnerProcess): string[] {
  const lines: string[] = [];
  running.stderr.on("data", (chunk: Buffer) => {
    lines.push(...chunk.toString().trim().split("\n"));
    lines.splice(0, Math.max(0, lines.length - KEPT_STDERR_LINES));
  });
  return lines;
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
