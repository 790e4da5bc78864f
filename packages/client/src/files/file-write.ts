import {
  type AgentOsError,
  DEFAULTS,
  FRAME_KIND,
  type MethodParams,
  type StreamFrame,
} from "@agentos/protocol";

import type { Connection } from "../connection/connection.ts";
import type { FrameReceiver } from "../connection/frame-receiver.ts";
import type { VmAdmin } from "../leases/vm-admin.ts";
import type { VmStream } from "../leases/vm-stream.ts";
import { InputStream } from "../process/input-stream.ts";

export interface WriteChoice {
  path: string;
  how: NonNullable<MethodParams<"fs.write">["how"]>;
  mode?: number | undefined;
  start?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** One write: its request, its stream, and the answer that says that all of it is in the file. */
export class FileWrite implements FrameReceiver {
  readonly input: InputStream;
  /** Resolves with the file's size once everything has been written. */
  readonly written: Promise<number>;
  readonly #admin: VmAdmin;
  readonly #stream: VmStream;
  readonly #given = Promise.withResolvers<never>();

  constructor(admin: VmAdmin, connection: Connection, choice: WriteChoice) {
    this.#admin = admin;
    this.#stream = admin.openStream(connection, this);
    this.input = new InputStream(this.#stream, DEFAULTS.transferWindowBytes);
    this.written = this.#run(connection, choice);
    // A writer hears of it at its next write or its close.
    this.written.catch(() => undefined);
  }

  frame({ kind, offset }: StreamFrame): void {
    if (kind === FRAME_KIND.inAck) this.input.taken(offset);
  }

  closed(reason: AgentOsError): void {
    this.#given.reject(reason);
  }

  /** Gives up a write whose source failed. What was sent may be in the file. */
  cancel(reason: unknown): void {
    this.#given.reject(reason);
    if (!this.#stream.isOpen) return;
    // Over already, or its connection is: either way nothing is written any more.
    this.#admin
      .request("stream.close", { ...this.#admin.scope, stream: this.#stream.number })
      .catch(() => undefined);
  }

  async #run(
    connection: Connection,
    { path, how, mode, start, signal }: WriteChoice,
  ): Promise<number> {
    const params = {
      ...this.#admin.scope,
      path,
      how,
      stream: this.#stream.number,
      windowBytes: DEFAULTS.transferWindowBytes,
      ...(mode === undefined ? {} : { mode }),
      ...(start === undefined ? {} : { start }),
    };
    try {
      // Its length is the source's: no deadline but the connection's.
      const answer = connection.request("fs.write", params, { signal, deadlineMs: null });
      return (await Promise.race([answer, this.#given.promise])).size;
    } catch (error) {
      throw await this.#admin.explain(error, connection);
    } finally {
      this.input.stop();
      this.#stream.close();
    }
  }
}
