import { randomUUID } from "node:crypto";

import { type AgentOsError, FRAME_KIND, type StreamFrame } from "@agentos/protocol";

import type { Connection } from "../connection/connection.ts";
import type { FrameReceiver } from "../connection/frame-receiver.ts";
import { isLost } from "../connection/lost-connection.ts";
import type { Resumable } from "../connection/resumable.ts";
import type { VmAdmin } from "../leases/vm-admin.ts";
import type { VmStream } from "../leases/vm-stream.ts";
import { InputStream } from "../process/input-stream.ts";
import { hungUp, terminalFailure } from "./terminal-failure.ts";

/** What this program types into a terminal, each byte once: attached to at the first write, over as many connections as it takes. */
export class TerminalInput implements FrameReceiver, Resumable {
  readonly #admin: VmAdmin;
  readonly #terminalId: string;
  readonly #attachmentId = randomUUID();
  readonly #stream: VmStream;
  readonly #input: InputStream;
  /** Writes keep their order. */
  #last: Promise<unknown> = Promise.resolve();
  #asked = false;
  #failure: { reason: unknown } | undefined;

  constructor(admin: VmAdmin, terminalId: string) {
    this.#admin = admin;
    this.#terminalId = terminalId;
    this.#stream = admin.openStream(this);
    this.#input = new InputStream(this.#stream);
  }

  async write(data: string | Uint8Array): Promise<void> {
    this.#throwIfOver();
    if (!this.#asked) this.#admin.begin(this);
    // A copy: the caller may use its own again while this waits for its turn.
    const bytes = typeof data === "string" ? Buffer.from(data) : Uint8Array.from(data);
    const written = this.#last.then(() => this.#input.write(bytes));
    this.#last = written;
    if (await written) return;
    this.#throwIfOver();
    throw hungUp();
  }

  /** Attaches, or sends again what may not have come. */
  resume(connection: Connection): void {
    const isRepeated = this.#asked;
    this.#asked = true;
    const params = {
      ...this.#admin.scope,
      terminalId: this.#terminalId,
      attachmentId: this.#attachmentId,
      stream: this.#stream.carry(connection),
      mode: "write" as const,
    };
    connection.request("terminal.attach", params).catch((error: unknown) => {
      if (!isLost(error, connection)) this.fail(error);
    });
    if (isRepeated) this.#input.resend();
  }

  frame({ kind, offset }: StreamFrame): void {
    if (kind === FRAME_KIND.inAck) this.#input.taken(offset);
  }

  lost(reason: AgentOsError): void {
    this.fail(reason);
  }

  #throwIfOver(): void {
    if (this.#failure !== undefined) throw this.#failure.reason;
  }

  /** Nothing is taken any more. */
  fail(reason: unknown): void {
    this.#failure ??= { reason: terminalFailure(this.#terminalId, reason) };
    this.#input.stop();
    this.#admin.finish(this);
    this.#admin.abandon(this.#stream);
  }
}
