import {
  AgentOsError,
  CHANNEL,
  DEFAULTS,
  FRAME_KIND,
  type FileStat,
  type StreamFrame,
} from "@agentos/protocol";

import type { Connection } from "../connection/connection.ts";
import type { FrameReceiver } from "../connection/frame-receiver.ts";
import { isLost } from "../connection/lost-connection.ts";
import type { Resumable } from "../connection/resumable.ts";
import type { VmAdmin } from "../leases/vm-admin.ts";
import type { VmStream } from "../leases/vm-stream.ts";
import { Acknowledger } from "../process/acknowledger.ts";
import type { ByteSink } from "../process/byte-sink.ts";
import { cancelled } from "../race-signal.ts";

/** What is read: a file, or a part of it, or a directory's entries. */
export interface ReadChoice {
  path: string;
  kind: "file" | "directory";
  start?: number | undefined;
  length?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** What a directory's stream has as its window is not said: every piece is acknowledged. */
const LISTING_WINDOW_BYTES = 2;

/** One read: its request, its stream, and the end that frees it; over as many connections as that takes. */
export class FileRead<S extends ByteSink> implements FrameReceiver, Resumable {
  readonly sink: S;
  readonly #admin: VmAdmin;
  readonly #choice: ReadChoice;
  readonly #stream: VmStream;
  readonly #acknowledger: Acknowledger;
  #asked = false;
  #isVerified = true;
  /** The end of a stream whose file is not verified yet. */
  #heldEnd: number | undefined;
  /** Which file is read: known from the first answer. */
  #inode: number | undefined;
  #total: number | undefined;

  /** `makeSink` gets what gives credit back, and what to call when all has been received. */
  constructor(
    admin: VmAdmin,
    choice: ReadChoice,
    makeSink: (acknowledger: Acknowledger, settle: () => void, cancel: () => void) => S,
  ) {
    this.#admin = admin;
    this.#choice = choice;
    this.#stream = admin.openStream(this);
    const windowBytes =
      choice.kind === "file" ? DEFAULTS.transferWindowBytes : LISTING_WINDOW_BYTES;
    this.#acknowledger = new Acknowledger(this.#stream, CHANNEL.stdout, windowBytes);
    this.sink = makeSink(
      this.#acknowledger,
      () => this.#settle(),
      () => this.#close(),
    );
    choice.signal?.addEventListener("abort", this.#abort, { once: true });
    if (choice.signal?.aborted === true) this.#abort();
    else admin.begin(this);
  }

  /** Asks for the file, or for what is still missing of it. */
  resume(connection: Connection): void {
    const { kind, length = Infinity } = this.#choice;
    const received = this.#asked ? this.sink.resume() : 0;
    // At least one byte: the answer says whether it is still the same file.
    const at = Math.min(received, length - 1);
    this.#asked = true;
    this.#isVerified = at === 0;
    this.#heldEnd = undefined;
    const stream = this.#stream.carry(connection, at);
    const stat =
      kind === "file" ? this.#read(connection, stream, at) : this.#list(connection, stream);
    stat.then(
      ({ ino }) => this.#answered(ino),
      (error: unknown) => {
        if (!isLost(error, connection)) this.#refused(error);
      },
    );
  }

  frame({ kind, offset, payload }: StreamFrame): void {
    try {
      if (kind === FRAME_KIND.out) this.sink.accept(offset, payload);
      else if (kind === FRAME_KIND.end) this.#ended(offset);
    } catch (error) {
      this.#fail(error);
    }
  }

  lost(reason: AgentOsError): void {
    this.#finish();
    this.sink.fail(reason);
  }

  readonly #abort = (): void => {
    this.#fail(cancelled("reading", this.#choice.signal?.reason));
  };

  async #list(connection: Connection, stream: number): Promise<FileStat> {
    const params = { ...this.#admin.scope, path: this.#choice.path, stream };
    return (await connection.request("fs.readdir", params)).stat;
  }

  async #read(connection: Connection, stream: number, at: number): Promise<FileStat> {
    const { path, start = 0, length } = this.#choice;
    const params = {
      ...this.#admin.scope,
      path,
      stream,
      windowBytes: DEFAULTS.transferWindowBytes,
      ...(start + at === 0 ? {} : { start: start + at }),
      ...(length === undefined ? {} : { length: length - at }),
    };
    return (await connection.request("fs.read", params)).stat;
  }

  #answered(inode: number): void {
    this.#inode ??= inode;
    const isOther = this.#choice.kind === "file" && this.#inode !== inode;
    if (isOther) return this.#fail(replaced(this.#choice.path));
    this.#isVerified = true;
    if (this.#heldEnd !== undefined) this.#ended(this.#heldEnd);
  }

  /** Nothing was opened, so nothing is to be closed. */
  #refused(reason: unknown): void {
    this.#stream.close();
    this.#fail(reason);
  }

  #ended(total: number): void {
    if (!this.#isVerified) {
      this.#heldEnd = total;
      return;
    }
    this.#total = total;
    this.sink.end(total);
  }

  #settle(): void {
    if (this.#total === undefined) return;
    // The acknowledged end is what frees the stream over there.
    this.#acknowledger.finished(this.#total);
    this.#stream.close();
    this.#finish();
  }

  #fail(reason: unknown): void {
    this.#close();
    this.sink.fail(reason);
  }

  #close(): void {
    this.#finish();
    this.#admin.abandon(this.#stream);
  }

  #finish(): void {
    this.#choice.signal?.removeEventListener("abort", this.#abort);
    this.#admin.finish(this);
  }
}

function replaced(path: string): AgentOsError {
  const reason = `${path} was replaced by another file while the connection was lost`;
  return new AgentOsError("CONNECTION_LOST", reason, { reason });
}
