import { randomUUID } from "node:crypto";

import {
  type AgentOsError,
  CHANNEL,
  DEFAULTS,
  FRAME_KIND,
  type ProcessExit,
  type StreamFrame,
} from "@agentos/protocol";

import type { Connection } from "../connection/connection.ts";
import type { FrameReceiver } from "../connection/frame-receiver.ts";
import { isLost } from "../connection/lost-connection.ts";
import type { Resumable } from "../connection/resumable.ts";
import type { VmAdmin } from "../leases/vm-admin.ts";
import type { VmStream } from "../leases/vm-stream.ts";
import { Acknowledger } from "../process/acknowledger.ts";
import { OutputStream } from "../process/output-stream.ts";
import { terminalFailure } from "./terminal-failure.ts";

/** A terminal's output as this program reads it: attached to at the first read, over as many connections as it takes. */
export class TerminalOutput implements FrameReceiver, Resumable {
  readonly #admin: VmAdmin;
  readonly #terminalId: string;
  readonly #attachmentId = randomUUID();
  readonly #stream: VmStream;
  readonly #output: OutputStream;
  readonly #liveFrom = Promise.withResolvers<number>();
  #asked = false;
  #skipped = 0;

  constructor(admin: VmAdmin, terminalId: string) {
    this.#admin = admin;
    this.#terminalId = terminalId;
    this.#stream = admin.openStream(this);
    // Not everybody asks.
    this.#liveFrom.promise.catch(() => undefined);
    const window = DEFAULTS.terminalWindowBytes;
    this.#output = new OutputStream(new Acknowledger(this.#stream, CHANNEL.stdout, window), {
      onSettled: () => this.#leave(),
      onCancelled: () => this.#leave(),
      onFirstRead: () => admin.begin(this),
      onSkipped: (bytes) => {
        this.#skipped += bytes;
      },
    });
  }

  get readable(): ReadableStream<Uint8Array> {
    return this.#output.readable;
  }

  get skippedBytes(): number {
    return this.#skipped;
  }

  /** Where its output ended when this attached. */
  get liveFrom(): Promise<number> {
    return this.#liveFrom.promise;
  }

  /** Attaches, or goes on from what is here. */
  resume(connection: Connection): void {
    const received = this.#asked ? this.#output.resume() : undefined;
    this.#asked = true;
    const params = {
      ...this.#admin.scope,
      terminalId: this.#terminalId,
      attachmentId: this.#attachmentId,
      stream: this.#stream.carry(connection),
      mode: "read" as const,
      ...(received === undefined ? {} : { received }),
    };
    connection.request("terminal.attach", params).then(
      // An attachment that goes on is not told: its first answer was lost with the connection.
      ({ end }) => this.#liveFrom.resolve(end ?? received ?? 0),
      (error: unknown) => {
        if (!isLost(error, connection)) this.fail(error);
      },
    );
  }

  frame({ kind, offset, payload }: StreamFrame): void {
    try {
      if (kind === FRAME_KIND.out) this.#output.accept(offset, payload);
      else if (kind === FRAME_KIND.end) this.#output.end(offset);
    } catch (error) {
      this.fail(error);
    }
  }

  lost(reason: AgentOsError): void {
    this.fail(reason);
  }

  /** A terminal that nothing holds open any more has written all that it will. */
  ended({ stdoutOpen, stdoutBytes }: ProcessExit): void {
    if (!stdoutOpen && this.#asked) this.#output.end(stdoutBytes);
  }

  fail(reason: unknown): void {
    this.#liveFrom.reject(reason);
    this.#output.fail(terminalFailure(this.#terminalId, reason));
  }

  #leave(): void {
    this.#admin.finish(this);
    this.#admin.abandon(this.#stream);
  }
}
