import { once } from "node:events";
import { unlink } from "node:fs/promises";
import type { Socket } from "node:net";

import { encodeFrame, FRAME_HEADER_BYTES } from "@agentos/protocol";

import { connectUnix } from "../../link/connect.ts";
import { type Failure, readFailure } from "../../link/failure.ts";
import { FieldWriter } from "../../link/fields.ts";
import { FrameReader } from "../../link/frame-reader.ts";
import { FIELD, KEEPER_KINDS, LINK_KIND } from "../../link/link-kinds.ts";

const FLAG = { switch: 1, onDisk: 2, flatten: 4, image: 8 } as const;
const CONNECT_MS = 5_000;

export interface KeeperRequest {
  /** The VM's spawner. */
  readonly spawnerPath: string;
  readonly linkId: string;
  readonly generation: number;
  /** Where the keeper is to listen, while the layer is in memory. */
  readonly socketPath: string | undefined;
  /** An empty directory for the copy. */
  readonly copyTo: string;
  /** Whether the VM may go on on a fresh upper directory, with what it has as the layer. */
  readonly switch: boolean;
  readonly onDisk: boolean;
  /** Whether the copy holds the layers below as well. */
  readonly flatten: boolean;
  /** Of a VM on an image, which is the lowest layer and never copied. */
  readonly parts: readonly string[] | undefined;
}

/** The copy is whole, or why there is none. */
export type Copied = { readonly ok: true } | { readonly ok: false; readonly failure: Failure };

/** How a snapshot is taken: the VM went on with a fresh upper directory, or has to stand still until it is copied. */
export type Snapped =
  | { readonly how: "switched" | "copying" }
  | { readonly how: "failed"; readonly failure: Failure };

/** The conversation with the vmd that takes one snapshot, or holds its layer in memory. */
export class Keeper {
  /** Resolves, never rejects. */
  readonly snapped: Promise<Snapped>;
  /** Resolves, never rejects, once the copy is whole or will never be. */
  readonly copied: Promise<Copied>;
  readonly #socket: Socket;
  readonly #snapped = Promise.withResolvers<Snapped>();
  readonly #copied = Promise.withResolvers<Copied>();

  static async take(request: KeeperRequest): Promise<Keeper> {
    const { linkId, generation, socketPath, copyTo } = request;
    const flags =
      (request.switch ? FLAG.switch : 0) |
      (request.onDisk ? FLAG.onDisk : 0) |
      (request.flatten ? FLAG.flatten : 0) |
      (request.parts === undefined ? 0 : FLAG.image);
    const fields = new FieldWriter()
      .text(FIELD.vmId, linkId)
      .text(FIELD.copyTo, copyTo)
      .u32(FIELD.snapshotFlags, flags)
      .u32(FIELD.generation, generation);
    if (socketPath !== undefined) fields.text(FIELD.socketPath, socketPath);
    for (const part of request.parts ?? []) fields.text(FIELD.part, part);
    const socket = await connectUnix(request.spawnerPath, AbortSignal.timeout(CONNECT_MS));
    socket.write(encodeFrame(LINK_KIND.snapshot, 0, 0, fields.finish()));
    return new Keeper(socket);
  }

  /** That of an earlier life, which holds a layer. Rejects where it is gone. */
  static async watch(socketPath: string): Promise<Keeper> {
    const socket = await connectUnix(socketPath, AbortSignal.timeout(CONNECT_MS));
    socket.write(encodeFrame(LINK_KIND.watch, 0, 0));
    return new Keeper(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.snapped = this.#snapped.promise;
    this.copied = this.#copied.promise;
    const reader = new FrameReader(KEEPER_KINDS, (kind, _stream, _offset, frame) =>
      this.#take(kind, frame),
    );
    socket.on("data", (chunk: Buffer) => reader.push(chunk));
    socket.on("end", () => socket.end());
    // What ended it makes no difference: close follows.
    socket.on("error", () => {});
    socket.on("close", () =>
      this.#fail({ errno: { code: 32, name: "EPIPE", message: "it ended" }, step: "keeper" }),
    );
    // What is being copied is no reason for a sidecar to stay: the next one asks for it.
    socket.unref();
  }

  /** Lets go of the conversation. */
  leave(): void {
    this.#socket.destroy();
  }

  #take(kind: number, frame: Uint8Array): void {
    if (kind === LINK_KIND.fail) this.#fail(readFailure(frame));
    else if (kind === LINK_KIND.copied) this.#copied.resolve({ ok: true });
    else if (kind === LINK_KIND.snapped)
      this.#snapped.resolve({ how: frame[FRAME_HEADER_BYTES] === 0 ? "switched" : "copying" });
  }

  #fail(failure: Failure): void {
    this.#snapped.resolve({ how: "failed", failure });
    this.#copied.resolve({ ok: false, failure });
  }
}

/** Whoever holds a layer in memory ends, and its copier with it. Never rejects. */
export async function endKeeper(socketPath: string): Promise<void> {
  const signal = AbortSignal.timeout(CONNECT_MS);
  try {
    const socket = await connectUnix(socketPath, signal);
    socket.on("error", () => {}).resume();
    socket.write(encodeFrame(LINK_KIND.kill, 0, 0));
    socket.on("end", () => socket.end());
    await once(socket, "close", { signal });
  } catch {
    // It is gone, or ends by itself when nobody has wanted it for a while.
  }
  await unlink(socketPath).catch(() => {});
}
