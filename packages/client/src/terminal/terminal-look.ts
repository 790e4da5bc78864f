import { randomUUID } from "node:crypto";

import {
  type AgentOsError,
  CHANNEL,
  DEFAULTS,
  FRAME_KIND,
  type StreamFrame,
  type TerminalSize,
} from "@agentos/protocol";

import type { Connection } from "../connection/connection.ts";
import type { FrameReceiver } from "../connection/frame-receiver.ts";
import { isLost } from "../connection/lost-connection.ts";
import type { Resumable } from "../connection/resumable.ts";
import type { VmAdmin } from "../leases/vm-admin.ts";
import type { VmStream } from "../leases/vm-stream.ts";
import { Acknowledger } from "../process/acknowledger.ts";
import { terminalFailure } from "./terminal-failure.ts";

/** What a terminal has kept of its output. */
export interface KeptOutput {
  readonly bytes: Uint8Array;
  /** Whether there was output before it. */
  readonly isCut: boolean;
  readonly size: TerminalSize;
}

/** Reads what a terminal has kept until now, holding nobody up. Rejects where the connection's end is final. */
export async function lookAt(admin: VmAdmin, terminalId: string): Promise<KeptOutput> {
  return await new TerminalLook(admin, terminalId).kept;
}

class TerminalLook implements FrameReceiver, Resumable {
  readonly #admin: VmAdmin;
  readonly #terminalId: string;
  readonly #stream: VmStream;
  readonly #kept = Promise.withResolvers<KeptOutput>();
  #acknowledger: Acknowledger;
  #pieces: Uint8Array[] = [];
  #from: number | undefined;
  #position = 0;
  #goal: { end: number; size: TerminalSize } | undefined;

  constructor(admin: VmAdmin, terminalId: string) {
    this.#admin = admin;
    this.#terminalId = terminalId;
    this.#stream = admin.openStream(this);
    this.#acknowledger = this.#newAcknowledger();
    admin.begin(this);
  }

  get kept(): Promise<KeptOutput> {
    return this.#kept.promise;
  }

  /** From the start, each time. */
  resume(connection: Connection): void {
    this.#pieces = [];
    this.#from = this.#goal = undefined;
    this.#position = 0;
    this.#acknowledger = this.#newAcknowledger();
    const params = {
      ...this.#admin.scope,
      terminalId: this.#terminalId,
      attachmentId: randomUUID(),
      stream: this.#stream.carry(connection),
      mode: "look" as const,
    };
    connection.request("terminal.attach", params).then(
      ({ terminal: { cols, rows }, end = 0 }) => this.#aimAt({ end, size: { cols, rows } }),
      (error: unknown) => {
        if (!isLost(error, connection)) this.#fail(error);
      },
    );
  }

  frame({ kind, offset, payload }: StreamFrame): void {
    if (kind !== FRAME_KIND.out) return;
    this.#from ??= offset;
    this.#pieces.push(payload);
    this.#position = offset + payload.byteLength;
    this.#acknowledger.consumed(this.#position);
    this.#check();
  }

  lost(reason: AgentOsError): void {
    this.#fail(reason);
  }

  #aimAt(goal: { end: number; size: TerminalSize }): void {
    this.#goal = goal;
    this.#check();
  }

  #check(): void {
    if (this.#goal === undefined || this.#position < this.#goal.end) return;
    const { size } = this.#goal;
    this.#kept.resolve({ bytes: Buffer.concat(this.#pieces), isCut: (this.#from ?? 0) > 0, size });
    this.#leave();
  }

  #fail(reason: unknown): void {
    this.#kept.reject(terminalFailure(this.#terminalId, reason));
    this.#leave();
  }

  #leave(): void {
    this.#admin.finish(this);
    this.#admin.abandon(this.#stream);
  }

  #newAcknowledger(): Acknowledger {
    return new Acknowledger(this.#stream, CHANNEL.stdout, DEFAULTS.terminalWindowBytes);
  }
}
