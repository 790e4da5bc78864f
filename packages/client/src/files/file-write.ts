import {
  AgentOsError,
  DEFAULTS,
  FRAME_KIND,
  type MethodParams,
  type StreamFrame,
} from "@agentos/protocol";

import type { Connection } from "../connection/connection.ts";
import type { FrameReceiver } from "../connection/frame-receiver.ts";
import { isLost, unknownEffect } from "../connection/lost-connection.ts";
import type { Resumable } from "../connection/resumable.ts";
import type { VmAdmin } from "../leases/vm-admin.ts";
import type { VmStream } from "../leases/vm-stream.ts";
import { InputStream } from "../process/input-stream.ts";
import { cancelled } from "../race-signal.ts";

export interface WriteChoice {
  path: string;
  how: NonNullable<MethodParams<"fs.write">["how"]>;
  mode?: number | undefined;
  start?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** One write: its request, its stream, and the answer that says that all of it is in the file; over as many connections as that takes. */
export class FileWrite implements FrameReceiver, Resumable {
  readonly input: InputStream;
  /** Resolves with the file's size once everything has been written. */
  readonly written: Promise<number>;
  readonly #admin: VmAdmin;
  readonly #choice: WriteChoice;
  readonly #stream: VmStream;
  readonly #answer = Promise.withResolvers<number>();
  #asked = false;

  constructor(admin: VmAdmin, choice: WriteChoice) {
    this.#admin = admin;
    this.#choice = choice;
    this.#stream = admin.openStream(this);
    this.input = new InputStream(this.#stream, DEFAULTS.transferWindowBytes);
    this.written = this.#run();
    // A writer hears of it at its next write or its close.
    this.written.catch(() => undefined);
  }

  /** Asks to write, or to go on with what may not be in the file yet. */
  resume(connection: Connection): void {
    const { how } = this.#choice;
    const again = this.#asked ? this.#again() : how;
    if (again === undefined)
      return this.cancel(unknownEffect("fs.write", new Error(`${how} can't be repeated`)));
    if (again !== "keep" || !this.#asked) return this.#ask(connection, again);
    this.#assertThere(connection).then(
      () => this.#ask(connection, again),
      (error: unknown) => this.#failed(error, connection),
    );
  }

  frame({ kind, offset }: StreamFrame): void {
    if (kind === FRAME_KIND.inAck) this.input.taken(offset);
  }

  lost(reason: AgentOsError): void {
    this.#answer.reject(reason);
  }

  /** Gives up a write whose source failed. What was sent may be in the file. */
  cancel(reason: unknown): void {
    this.#answer.reject(reason);
    this.#admin.abandon(this.#stream);
  }

  #ask(connection: Connection, how: WriteChoice["how"]): void {
    const { path, mode, start = 0 } = this.#choice;
    const at = this.input.takenBytes;
    const params = {
      ...this.#admin.scope,
      path,
      how,
      stream: this.#stream.carry(connection, at),
      windowBytes: DEFAULTS.transferWindowBytes,
      ...(mode === undefined ? {} : { mode }),
      ...(start + at === 0 ? {} : { start: start + at }),
    };
    // Its length is the source's: no deadline but the connection's.
    connection.request("fs.write", params, { deadlineMs: null }).then(
      ({ size }) => this.#answer.resolve(size),
      (error: unknown) => this.#failed(error, connection),
    );
    if (this.#asked) this.input.resend();
    this.#asked = true;
  }

  /** What was written must still be there: going on behind less would leave a hole. */
  async #assertThere(connection: Connection): Promise<void> {
    const { path, start = 0 } = this.#choice;
    const expected = start + this.input.takenBytes;
    const { stat } = await connection.request("fs.stat", { ...this.#admin.scope, path });
    if (stat.size >= expected) return;
    const reason = `${path} had ${expected} bytes, and has ${stat.size} since the connection was lost`;
    throw new AgentOsError("CONNECTION_LOST", reason, { reason });
  }

  #failed(error: unknown, connection: Connection): void {
    if (!isLost(error, connection)) this.#answer.reject(error);
  }

  /** How the rest is written; undefined where nobody knows what the first request did. */
  #again(): WriteChoice["how"] | undefined {
    const { how } = this.#choice;
    const isUntouched = this.input.sentBytes === 0;
    if (how === "append") return isUntouched ? how : undefined;
    if (this.input.takenBytes > 0) return "keep";
    return how === "exclusive" ? undefined : how;
  }

  async #run(): Promise<number> {
    const { signal } = this.#choice;
    const abort = (): void => this.cancel(cancelled("writing", signal?.reason));
    signal?.addEventListener("abort", abort, { once: true });
    try {
      if (signal?.aborted === true) abort();
      else this.#admin.begin(this);
      return await this.#answer.promise;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#admin.finish(this);
      this.input.stop();
      this.#stream.close();
    }
  }
}
