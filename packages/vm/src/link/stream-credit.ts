import { CHANNEL } from "@agentos/protocol";

import { violation } from "./violation.ts";

/** What one channel has sent, and what of it nobody has acknowledged. */
class ChannelCredit {
  readonly #windowBytes: number;
  #sent: number;
  #acknowledged: number;
  #inFlight = 0;

  constructor(windowBytes: number, offset: number) {
    this.#windowBytes = windowBytes;
    this.#sent = offset;
    this.#acknowledged = offset;
  }

  /** `gaps`: a logged ring may have lost what lies between. */
  data(offset: number, bytes: number, gaps: boolean): void {
    if (offset !== this.#sent && !(gaps && offset > this.#sent)) {
      throw violation(`expected bytes at offset ${this.#sent}, got ${offset}`);
    }
    this.#sent = offset + bytes;
    this.#inFlight += bytes;
    if (this.#inFlight > this.#windowBytes) {
      throw violation(`more than ${this.#windowBytes} bytes came unacknowledged`);
    }
  }

  /** The reader has everything below `offset`, and nothing above it. */
  resume(offset: number): void {
    this.#sent = offset;
    this.#acknowledged = offset;
    this.#inFlight = 0;
  }

  /** False: nobody can have received that much. */
  acknowledge(offset: number): boolean {
    if (offset > this.#sent) return false;
    this.#inFlight = Math.max(0, this.#inFlight - Math.max(0, offset - this.#acknowledged));
    this.#acknowledged = Math.max(this.#acknowledged, offset);
    return true;
  }
}

export interface CreditOptions {
  windowBytes: number;
  stdinWindowBytes: number;
  /** Whether offsets may jump ahead. */
  gaps: boolean;
  /** Where each channel begins; 0 but for a reader and an adopted stream. */
  from?: { stdout: number; stderr: number };
  /** An adopted stream's: the bytes that were received. What of them was taken, the VM says later. */
  stdinReceived?: number;
}

/** Holds both ends of a stream to their windows, so that neither can make the sidecar buffer. */
export class StreamCredit {
  readonly #stdout: ChannelCredit;
  readonly #stderr: ChannelCredit;
  readonly #gaps: boolean;
  readonly #stdinWindowBytes: number;
  #stdinSent: number;
  #stdinTaken: number | undefined;

  constructor({ windowBytes, stdinWindowBytes, gaps, from, stdinReceived }: CreditOptions) {
    this.#stdout = new ChannelCredit(windowBytes, from?.stdout ?? 0);
    this.#stderr = new ChannelCredit(windowBytes, from?.stderr ?? 0);
    this.#gaps = gaps;
    this.#stdinWindowBytes = stdinWindowBytes;
    this.#stdinSent = stdinReceived ?? 0;
    this.#stdinTaken = stdinReceived === undefined ? 0 : undefined;
  }

  /** False: how much stdin may be sent is not known before the first acknowledgement. */
  get knowsStdin(): boolean {
    return this.#stdinTaken !== undefined;
  }

  /** The reader says what it has: sending begins there again. */
  resume(received: { stdout: number; stderr: number }): void {
    this.#stdout.resume(received.stdout);
    this.#stderr.resume(received.stderr);
  }

  /** Throws `PROTOCOL_ERROR` where the VM sends more than it may, or out of order. */
  output(channel: number, offset: number, bytes: number): void {
    const credit = channel === CHANNEL.stdout ? this.#stdout : this.#stderr;
    credit.data(offset, bytes, this.#gaps);
  }

  /** False: the reader acknowledges what was never sent. */
  acknowledge(channel: number, offset: number): boolean {
    if (channel !== CHANNEL.stdout && channel !== CHANNEL.stderr) return false;
    const credit = channel === CHANNEL.stdout ? this.#stdout : this.#stderr;
    return credit.acknowledge(offset);
  }

  /** False: the writer is beyond its window. */
  input(offset: number, bytes: number): boolean {
    if (offset + bytes > (this.#stdinTaken ?? 0) + this.#stdinWindowBytes) return false;
    this.#stdinSent = Math.max(this.#stdinSent, offset + bytes);
    return true;
  }

  /** Throws `PROTOCOL_ERROR` where the VM took what was never sent. */
  inputTaken(offset: number): void {
    if (offset > this.#stdinSent) throw violation("stdin was taken that nobody sent");
    this.#stdinTaken = Math.max(this.#stdinTaken ?? 0, offset);
  }
}
