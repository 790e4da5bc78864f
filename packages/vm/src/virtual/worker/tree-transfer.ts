import { constants } from "node:os";

import { CHANNEL, decodeFrame, FRAME_KIND, isAgentOsError } from "@agentos/protocol";

import { treeError } from "../tree/tree-error.ts";
import type { GuestProcessOptions } from "./guest-process.ts";
import { HeldOutput } from "./held-output.ts";
import { listTree } from "./list-tree.ts";
import { monotonic } from "./monotonic.ts";
import { packTree } from "./pack-tree.ts";
import { TreeUnpack } from "./tree-unpack.ts";

const FAILED = 1;
const BATCH_BYTES = 64 * 1024;
const NUMBERS: Readonly<Record<string, number>> = constants.errno;

/** Packs, unpacks or lists a tree of a virtual VM, and looks like a process from outside. */
export class TreeTransfer {
  readonly #options: GuestProcessOptions;
  readonly #stdout: HeldOutput;
  readonly #stderr: HeldOutput;
  readonly #unpack: TreeUnpack | undefined;
  readonly #path: string;
  readonly #startedAt = monotonic();
  #received = 0;
  #isOver = false;

  constructor(options: GuestProcessOptions) {
    const { request, stream, post, tree } = options;
    const [way, path = "/"] = request.argv;
    const shared = { post, stream, windowBytes: request.windowBytes };
    this.#options = options;
    this.#path = path;
    this.#stdout = new HeldOutput({ ...shared, kind: FRAME_KIND.out });
    this.#stderr = new HeldOutput({ ...shared, kind: FRAME_KIND.err });
    this.#unpack = way === "unpack" ? new TreeUnpack(tree, withoutSlashes(path)) : undefined;
  }

  /** Packs or lists, to its end; to unpack it is told what comes. Never rejects. */
  async run(): Promise<void> {
    if (this.#unpack !== undefined) return;
    try {
      let batch: Uint8Array[] = [];
      let bytes = 0;
      for (const part of this.#told()) {
        batch.push(part);
        bytes += part.byteLength;
        if (bytes < BATCH_BYTES) continue;
        await this.#write(Buffer.concat(batch, bytes));
        batch = [];
        bytes = 0;
      }
      await this.#write(Buffer.concat(batch, bytes));
      this.#end(0);
    } catch (error) {
      this.#fail(error, "");
    }
  }

  #told(): Generator<Uint8Array, void> {
    const { tree, request } = this.#options;
    const [way, , ...more] = request.argv;
    const options = { without: new Set(more), digest: more[0] === "digest" };
    if (way === "list") return listTree(tree, withoutSlashes(this.#path), options);
    return packTree(tree, this.#path);
  }

  receive(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame === undefined) return;
    const { kind, offset, payload } = frame;
    if (kind === FRAME_KIND.ack) {
      const output = payload[0] === CHANNEL.stderr ? this.#stderr : this.#stdout;
      output.acknowledge(offset);
    } else if (kind === FRAME_KIND.dataIn) this.#take(offset, payload);
    else if (kind === FRAME_KIND.eofIn) this.#takeEnd(offset);
  }

  kill(): void {
    this.#end(null);
  }

  resume({ stdout, stderr }: { stdout: number; stderr: number }): void {
    if (!this.#stdout.canResume(stdout) || !this.#stderr.canResume(stderr))
      throw treeError("ERANGE", "resume");
    setImmediate(() => {
      this.#acknowledge();
      this.#stdout.resume(stdout);
      this.#stderr.resume(stderr);
    });
  }

  forget(): void {
    this.#stdout.forget();
    this.#stderr.forget();
  }

  #take(offset: number, payload: Uint8Array): void {
    const fresh = payload.subarray(Math.max(0, this.#received - offset));
    if (this.#unpack === undefined || offset > this.#received)
      return this.#fail(treeError("ERANGE", "stream"), "");
    this.#received += fresh.byteLength;
    if (!this.#isOver) this.#try(() => this.#unpack?.push(fresh));
    this.#acknowledge();
  }

  #takeEnd(total: number): void {
    if (this.#isOver) return;
    this.#try(() => {
      if (total !== this.#received) throw treeError("ERANGE", "stream");
      this.#unpack?.end();
      this.#end(0);
    });
  }

  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(error, this.#unpack?.at ?? "");
    }
  }

  #acknowledge(): void {
    const { post, stream } = this.#options;
    if (this.#unpack !== undefined) post.frame(stream, FRAME_KIND.inAck, this.#received);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const { gate, pace } = this.#options;
    if (gate.isClosed) await gate.pass();
    await pace.breathe();
    await this.#stdout.write(bytes);
  }

  /** Says what failed as the other driver's agent does: errno, step and path. */
  #fail(error: unknown, at: string): void {
    const known = isAgentOsError(error, "FILE_SYSTEM") ? error.details : undefined;
    const errno = NUMBERS[known?.errno ?? "EIO"] ?? NUMBERS["EIO"];
    // Less than a window: it is there at once.
    void this.#stderr.write(Buffer.from(`${errno} ${known?.syscall ?? "stream"} ${at}`));
    this.#end(FAILED);
  }

  #end(exitCode: number | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { signals, request, post, stream, onEnded } = this.#options;
    const sent = Atomics.load(signals, request.slot);
    const signal = sent === 0 ? null : sent;
    this.#stdout.stop();
    this.#stderr.stop();
    const exit = {
      exitCode: signal === null ? exitCode : null,
      signal,
      stdoutBytes: this.#stdout.total,
      stderrBytes: this.#stderr.total,
      durationMs: monotonic() - this.#startedAt,
    };
    post.send({ kind: "exit", stream, exit });
    onEnded();
  }
}

function withoutSlashes(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, "") || "/" : path;
}
