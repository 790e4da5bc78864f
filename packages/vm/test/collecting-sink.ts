import type { FrameSink, FrameSource } from "@agentos/core";
import { CHANNEL, decodeFrame, encodeAck, encodeFrame, FRAME_KIND } from "@agentos/protocol";

/** A reader that acknowledges what it receives, checks offsets, and keeps the bytes. */
export class CollectingSink implements FrameSink {
  readonly stdout: Uint8Array[] = [];
  readonly stderr: Uint8Array[] = [];
  /** The FAIL frames that came. */
  readonly failures: Uint8Array[] = [];
  /** Resolves with why the stream broke. */
  readonly broken: Promise<Error>;
  readonly #broken = Promise.withResolvers<Error>();
  readonly #received = [0, 0];
  readonly #totals: Array<number | undefined> = [undefined, undefined];
  readonly #complete = Promise.withResolvers<void>();
  readonly #acked: Array<() => void> = [];
  readonly #heard: Array<() => void> = [];
  #source: FrameSource | undefined;
  #taken = 0;
  #isBroken = false;
  #backlog: Uint8Array[] = [];
  readonly #channels: number;

  /** `channels`: how many have to end, 1 for a file. */
  constructor(channels = 2) {
    this.#channels = channels;
    this.broken = this.#broken.promise;
    this.#complete.promise.catch(() => {});
  }

  /** Both are known only after the start. */
  attach(source: FrameSource): void {
    this.#source = source;
    for (const ack of this.#backlog) source.send(ack);
    this.#backlog = [];
  }

  frame(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame === undefined) throw new Error("not a frame");
    const { kind, offset, payload } = frame;
    if (kind === FRAME_KIND.out || kind === FRAME_KIND.err) this.#data(kind, offset, payload);
    else if (kind === FRAME_KIND.end) this.total((payload[0] ?? 0) - 1, offset);
    else if (kind === FRAME_KIND.inAck) {
      this.#taken = offset;
      for (const wake of this.#acked.splice(0)) wake();
    } else this.failures.push(bytes);
  }

  closed(reason: Error): void {
    this.#isBroken = true;
    this.#broken.resolve(reason);
    this.#complete.reject(reason);
    for (const wake of this.#acked.splice(0)) wake();
  }

  /** The channel (0 or 1) ends at `offset`. */
  total(channel: number, offset: number): void {
    this.#totals[channel] = offset;
    this.#check();
  }

  /** Waits until every channel is at its end. */
  async complete(): Promise<void> {
    await this.#complete.promise;
  }

  /** Waits until stdout holds the text. */
  async said(text: string): Promise<void> {
    while (!this.text().includes(text)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#heard.push(resolve);
      // oxlint-disable-next-line no-await-in-loop -- each piece may be the one
      await promise;
    }
  }

  text(channel: "stdout" | "stderr" = "stdout"): string {
    return Buffer.concat(this[channel]).toString();
  }

  /** Sends everything within the window, then the end. */
  async write(source: FrameSource, bytes: Uint8Array, windowBytes: number): Promise<void> {
    let offset = 0;
    while (offset < bytes.byteLength && !this.#isBroken) {
      const room = this.#taken + windowBytes - offset;
      if (room <= 0) {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#acked.push(resolve);
        // The next bytes wait for credit.
        // oxlint-disable-next-line no-await-in-loop
        await promise;
        continue;
      }
      const end = Math.min(offset + room, offset + 65_536, bytes.byteLength);
      source.send(encodeFrame(FRAME_KIND.dataIn, 0, offset, bytes.subarray(offset, end)));
      offset = end;
    }
    source.send(encodeFrame(FRAME_KIND.eofIn, 0, offset));
  }

  #data(kind: number, offset: number, payload: Uint8Array): void {
    const at = kind === FRAME_KIND.out ? 0 : 1;
    const received = this.#received[at] ?? 0;
    if (offset !== received) throw new Error(`expected offset ${received}, got ${offset}`);
    const next = received + payload.byteLength;
    this.#received[at] = next;
    // A copy: a view would keep its whole chunk alive.
    this[at === 0 ? "stdout" : "stderr"].push(Uint8Array.from(payload));
    const channel = at === 0 ? CHANNEL.stdout : CHANNEL.stderr;
    for (const wake of this.#heard.splice(0)) wake();
    const ack = encodeAck(0, channel, next);
    if (this.#source === undefined) this.#backlog.push(ack);
    else this.#source.send(ack);
    this.#check();
  }

  #check(): void {
    for (let at = 0; at < this.#channels; at++) {
      if (this.#totals[at] === undefined || this.#totals[at] !== this.#received[at]) return;
    }
    this.#complete.resolve();
  }
}
