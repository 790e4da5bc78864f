import { AgentOsError, encodeError } from "@agentos/protocol";

import type { TreeSnapshot } from "../tree/file-tree.ts";
import { baseImage } from "./base-image.ts";
import { copyFromHost } from "./copy-from-host.ts";
import type { GuestCall, HostMessage } from "./guest-call.ts";
import { type GuestParts, GuestVm } from "./guest-vm.ts";
import { monotonic } from "./monotonic.ts";
import { Pace } from "./pace.ts";
import type { Post } from "./post.ts";
import type { Shell } from "./shell.ts";

/** Between two words about the same full disk. */
const LIMIT_QUIET_MS = 1_000;

/** The VMs of one worker. */
export class GuestHost {
  readonly #parts: GuestParts;
  readonly #base: TreeSnapshot;
  readonly #vms = new Map<number, GuestVm>();
  readonly #snapshots = new Map<number, TreeSnapshot>();

  constructor(shell: Shell, post: Post, signals: Int32Array) {
    this.#parts = { shell, post, signals, pace: new Pace(), streams: new Map() };
    this.#base = baseImage(shell);
  }

  receive(message: HostMessage): void {
    const { streams } = this.#parts;
    if (message.kind === "call") void this.#answer(message);
    else if (message.kind === "frame") streams.get(message.stream)?.receive(message.frame);
    else if (message.kind === "kill") streams.get(message.stream)?.kill?.();
    else streams.get(message.stream)?.close();
  }

  async #answer({ id, vm, call }: Extract<HostMessage, { kind: "call" }>): Promise<void> {
    const { post } = this.#parts;
    try {
      const value = await this.#call(vm, call);
      post.send({ kind: "reply", id, value });
    } catch (error) {
      post.send({ kind: "refusal", id, error: encodeError(error) });
    }
  }

  #call(vm: number, call: GuestCall): unknown {
    if (call.op === "create") return this.#create(vm, call);
    if (call.op === "end") return this.#end(vm);
    if (call.op === "snapshot")
      return void this.#snapshots.set(call.snapshot, this.#get(vm).tree.snapshot());
    if (call.op === "forget-snapshot") return void this.#snapshots.delete(call.snapshot);
    return this.#get(vm).call(call);
  }

  async #create(vm: number, call: Extract<GuestCall, { op: "create" }>): Promise<void> {
    const from = call.from === undefined ? this.#base : this.#snapshots.get(call.from);
    if (from === undefined) throw notFound("snapshot", String(call.from));
    const made = new GuestVm(this.#parts, call, from, this.#onFull(vm, call.limits.bytes));
    for (const copy of call.copies) {
      // In order: one may lie in another.
      // oxlint-disable-next-line no-await-in-loop
      await copyFromHost(made.tree, copy);
    }
    this.#vms.set(vm, made);
  }

  /** One whose making failed is not there. */
  #end(vm: number): void {
    this.#vms.get(vm)?.end();
    this.#vms.delete(vm);
  }

  #onFull(vm: number, value: number): () => void {
    let saidAt = -Infinity;
    return () => {
      if (monotonic() - saidAt < LIMIT_QUIET_MS) return;
      saidAt = monotonic();
      this.#parts.post.send({ kind: "limit", vm, limit: "diskBytes", value });
    };
  }

  #get(vm: number): GuestVm {
    const found = this.#vms.get(vm);
    if (found === undefined) throw notFound("vm", String(vm));
    return found;
  }
}

function notFound(kind: string, id: string): AgentOsError<"NOT_FOUND"> {
  return new AgentOsError("NOT_FOUND", `no ${kind} ${id} in this worker`, { kind, id });
}
