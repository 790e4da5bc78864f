import { encodeFrame, FRAME_KIND, type StreamFrame } from "@agentos/protocol";

import type { Connection } from "../connection/connection.ts";

/** One numbered stream of a lease, from its opening side. It moves to the next connection when one is lost, and its offsets go on. */
export class VmStream {
  readonly #receive: (frame: StreamFrame) => void;
  #connection: Connection | undefined;
  #number = 0;
  /** The position that offset 0 of the current number stands for. */
  #base = 0;
  #open = true;

  constructor(receive: (frame: StreamFrame) => void) {
    this.#receive = receive;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Whether frames of this number on this connection are still its. */
  isCarriedBy(connection: Connection, number: number): boolean {
    return this.#open && this.#connection === connection && this.#number === number;
  }

  /** Goes on over `connection`, there with offsets from `base`, under the number that it gives back. */
  carry(connection: Connection, base = 0): number {
    this.#leave();
    const number = connection.openStream({
      frame: (frame) =>
        this.#receive(base === 0 ? frame : { ...frame, offset: frame.offset + base }),
    });
    this.#connection = connection;
    this.#number = number;
    this.#base = base;
    return number;
  }

  /** Sends a frame at a position of the whole stream. Without a connection it goes nowhere. */
  send(kind: number, offset: number, payload?: Uint8Array): void {
    if (!this.#open || this.#connection === undefined) return;
    this.#connection.sendFrame(encodeFrame(kind, this.#number, offset - this.#base, payload));
  }

  /** What still arrives is dropped. Says nothing to the sidecar. */
  close(): void {
    this.#open = false;
    this.#leave();
  }

  /** Closes; what it is of is needed no more. False: its connection is lost, so nobody was told. */
  release(): boolean {
    const [connection, number] = [this.#connection, this.#number];
    this.close();
    if (connection === undefined || connection.isClosed) return false;
    // Behind whatever the program does next: nobody waits for it.
    setImmediate(() => connection.sendFrame(encodeFrame(FRAME_KIND.release, number, 0)));
    return true;
  }

  /** Closes, and tells the sidecar through `ask` where it was open. */
  abandon(ask: (connection: Connection, number: number) => void): void {
    const [connection, number] = [this.#connection, this.#number];
    if (!this.#open) return;
    this.close();
    if (connection !== undefined) ask(connection, number);
  }

  #leave(): void {
    this.#connection?.closeStream(this.#number);
    this.#connection = undefined;
  }
}
