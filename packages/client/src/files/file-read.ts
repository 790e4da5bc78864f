import {
  type AgentOsError,
  CHANNEL,
  DEFAULTS,
  encodeAck,
  FRAME_KIND,
  isAgentOsError,
  type StreamFrame,
} from "@agentos/protocol";

import type { Connection } from "../connection/connection.ts";
import type { FrameReceiver } from "../connection/frame-receiver.ts";
import type { VmAdmin } from "../leases/vm-admin.ts";
import type { VmStream } from "../leases/vm-stream.ts";
import { Acknowledger } from "../process/acknowledger.ts";
import type { ByteSink } from "../process/byte-sink.ts";

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

/** One read: its request, its stream, and the end that frees it. */
export class FileRead<S extends ByteSink> implements FrameReceiver {
  readonly sink: S;
  readonly #admin: VmAdmin;
  readonly #stream: VmStream;
  #total: number | undefined;

  /** `makeSink` gets what gives credit back, and what to call when all has been received. */
  constructor(
    admin: VmAdmin,
    connection: Connection,
    choice: ReadChoice,
    makeSink: (acknowledger: Acknowledger, settle: () => void, cancel: () => void) => S,
  ) {
    this.#admin = admin;
    this.#stream = admin.openStream(connection, this);
    const windowBytes =
      choice.kind === "file" ? DEFAULTS.transferWindowBytes : LISTING_WINDOW_BYTES;
    this.sink = makeSink(
      new Acknowledger(this.#stream, CHANNEL.stdout, windowBytes),
      () => this.#settle(),
      () => this.#close(),
    );
    void this.#begin(connection, choice);
  }

  frame({ kind, offset, payload }: StreamFrame): void {
    try {
      if (kind === FRAME_KIND.out) this.sink.accept(offset, payload);
      else if (kind === FRAME_KIND.end) {
        this.#total = offset;
        this.sink.end(offset);
      }
    } catch (error) {
      this.#close();
      this.sink.fail(error);
    }
  }

  closed(reason: AgentOsError): void {
    this.sink.fail(reason);
  }

  async #begin(connection: Connection, choice: ReadChoice): Promise<void> {
    try {
      await this.#ask(connection, choice);
    } catch (error) {
      const reason = await this.#admin.explain(error, connection);
      // Cancelled, it may have begun over there; refused, it has not.
      if (isAgentOsError(reason, "CANCELLED")) this.#close();
      this.#stream.close();
      this.sink.fail(reason);
    }
  }

  async #ask(
    connection: Connection,
    { kind, path, start, length, signal }: ReadChoice,
  ): Promise<void> {
    const params = { ...this.#admin.scope, path, stream: this.#stream.number };
    if (kind === "directory") {
      await connection.request("fs.readdir", params, { signal });
      return;
    }
    const range = {
      ...(start === undefined ? {} : { start }),
      ...(length === undefined ? {} : { length }),
    };
    const windowBytes = DEFAULTS.transferWindowBytes;
    await connection.request("fs.read", { ...params, ...range, windowBytes }, { signal });
  }

  #settle(): void {
    if (!this.#stream.isOpen || this.#total === undefined) return;
    // The acknowledged end is what frees the stream over there.
    this.#stream.send(encodeAck(this.#stream.number, CHANNEL.stdout, this.#total));
    this.#stream.close();
  }

  #close(): void {
    if (!this.#stream.isOpen) return;
    this.#stream.close();
    // Over already, or its connection is: either way nothing reads any more.
    this.#admin
      .request("stream.close", { ...this.#admin.scope, stream: this.#stream.number })
      .catch(() => undefined);
  }
}
