import { fileURLToPath } from "node:url";
import { type ResourceLimits, Worker } from "node:worker_threads";

import { AgentOsError, decodeError } from "@agentos/protocol";

import { type GuestExit, GuestMessage } from "./guest-message.ts";
import { virtualUnavailable } from "./find-shell.ts";
import { SignalTable } from "./signal-table.ts";
import { WORKER_HEAP_BYTES } from "./virtual-limits.ts";
import type { GuestCall, GuestWorkerData, HostMessage } from "./worker/guest-call.ts";

const START_MS = 20_000;
const MIB = 1024 * 1024;
const LIMITS: ResourceLimits = {
  maxOldGenerationSizeMb: WORKER_HEAP_BYTES / MIB,
  maxYoungGenerationSizeMb: 32,
  stackSizeMb: 4,
};

/** Who a stream's frames are for. */
export interface StreamReader {
  frame(frame: Uint8Array): void;
  exit?(exit: GuestExit): void;
  /** The worker is gone. */
  lost(): void;
}

/** Who hears of a VM. */
export interface VmListener {
  limit(limit: "diskBytes" | "memoryBytes", value: number): void;
}

/** starting -> ready -> ended. */
type State = "starting" | "ready" | "ended";

/** One worker thread with its VMs. */
export class GuestWorker {
  readonly signals = new SignalTable();
  /** Resolves with why, once the thread is gone. */
  readonly ended: Promise<string>;
  readonly vms = new Map<number, VmListener>();
  /** Frozen files that it holds: a worker with some is in use. */
  snapshots = 0;
  readonly #worker: Worker;
  readonly #ended = Promise.withResolvers<string>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #streams = new Map<number, StreamReader>();
  #state: State = "starting";
  #lastCall = 0;
  #lastStream = 0;
  #lastVm = 0;
  #why = "its worker ended";

  private constructor(shell: string) {
    this.ended = this.#ended.promise;
    const workerData: GuestWorkerData = { shell, signals: this.signals.signals };
    this.#worker = new Worker(entry(), {
      workerData,
      resourceLimits: LIMITS,
      // Nothing of the sidecar's own: no environment, no arguments of its Node.
      env: {},
      execArgv: [],
      name: "agentos virtual VMs",
    });
    // VMs are no reason for the sidecar to stay; its leases are.
    this.#worker.unref();
    this.#worker.on("message", (value: unknown) => this.#receive(value));
    this.#worker.on("error", (error: unknown) => this.#failed(error));
    this.#worker.once("exit", () => this.#gone());
  }

  /** Rejects with `DRIVER_UNAVAILABLE`, and no thread is left. */
  static async start(shell: string): Promise<GuestWorker> {
    const worker = new GuestWorker(shell);
    const timer = setTimeout(() => worker.terminate("it did not start in time"), START_MS);
    try {
      await worker.#ready.promise;
      return worker;
    } finally {
      clearTimeout(timer);
    }
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  /** A number for a VM that is to be made. It counts from now on. */
  claim(): number {
    this.#lastVm += 1;
    this.vms.set(this.#lastVm, { limit: () => undefined });
    return this.#lastVm;
  }

  /** Asks for something, and gives the answer. Rejects as the worker did, or with `VM_ENDED` where it is gone. */
  async call(vm: number, call: GuestCall): Promise<unknown> {
    this.#assertAlive();
    const id = ++this.#lastCall;
    const answer = Promise.withResolvers<unknown>();
    this.#calls.set(id, answer);
    this.#send({ kind: "call", id, vm, call });
    try {
      return await answer.promise;
    } finally {
      this.#calls.delete(id);
    }
  }

  /** A stream of its own for `reader`. */
  openStream(reader: StreamReader): number {
    const stream = ++this.#lastStream;
    this.#streams.set(stream, reader);
    return stream;
  }

  sendFrame(stream: number, frame: Uint8Array): void {
    // A copy of exactly this: what is around it in its buffer would go over too.
    const own = new Uint8Array(frame);
    const message: HostMessage = { kind: "frame", stream, frame: own };
    if (this.#state === "ended") return;
    this.#worker.postMessage(message, [own.buffer]);
  }

  closeStream(stream: number): void {
    if (this.#streams.delete(stream)) this.#send({ kind: "close", stream });
  }

  /** Has a process end: at the next thing it does, or at once where it waits. */
  kill(stream: number, slot: number, signal: number): void {
    this.signals.set(slot, signal);
    this.#send({ kind: "kill", stream });
  }

  /** Ends the thread and all its VMs, whatever they do. */
  terminate(why: string): void {
    if (this.#state === "ended") return;
    this.#why = why;
    // Its end shows in `ended`.
    void this.#worker.terminate();
  }

  #send(message: HostMessage): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- A worker has none.
    if (this.#state !== "ended") this.#worker.postMessage(message);
  }

  #receive(value: unknown): void {
    const parsed = GuestMessage.safeParse(value);
    if (!parsed.success) return this.terminate("it sent what no worker sends");
    const message = parsed.data;
    switch (message.kind) {
      case "ready":
        this.#state = "ready";
        return this.#ready.resolve();
      case "reply":
        return this.#calls.get(message.id)?.resolve(message.value);
      case "refusal":
        return this.#calls.get(message.id)?.reject(decodeError(message.error));
      case "frame":
        return this.#streams.get(message.stream)?.frame(message.frame);
      case "exit":
        return this.#streams.get(message.stream)?.exit?.(message.exit);
      case "limit":
        if (message.limit === "diskBytes")
          this.vms.get(message.vm)?.limit("diskBytes", message.value);
    }
  }

  #failed(error: unknown): void {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "ERR_WORKER_OUT_OF_MEMORY") {
      this.#why = `its worker failed: ${error instanceof Error ? error.message : String(error)}`;
      return;
    }
    this.#why = `its worker ran out of memory: ${WORKER_HEAP_BYTES / MIB} MiB for all its VMs`;
    for (const vm of this.vms.values()) vm.limit("memoryBytes", WORKER_HEAP_BYTES);
  }

  #gone(): void {
    this.#state = "ended";
    const error = this.#error();
    this.#ready.reject(virtualUnavailable(`its worker could not start: ${this.#why}`));
    for (const { reject } of this.#calls.values()) reject(error);
    const readers = [...this.#streams.values()];
    this.#streams.clear();
    this.#ended.resolve(this.#why);
    // After the VMs, which know then why.
    void this.ended.then(() => readers.forEach((reader) => reader.lost()));
  }

  #assertAlive(): void {
    if (this.#state === "ended") throw this.#error();
  }

  #error(): AgentOsError<"VM_ENDED"> {
    const details = { vmId: "", reason: "died" };
    return new AgentOsError("VM_ENDED", `the VM has ended (died): ${this.#why}`, details);
  }
}

/** By the package's name, not by place: a bundle of this module lies elsewhere. */
function entry(): string {
  const manifest = import.meta.resolve("@agentos/vm/package.json");
  return fileURLToPath(new URL("dist/virtual/worker/main.js", manifest));
}
