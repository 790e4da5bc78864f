import type { Connection } from "../connection/connection.ts";

/** One numbered stream of one connection, from its opening side. */
export class VmStream {
  readonly connection: Connection;
  readonly number: number;
  readonly #forget: () => void;
  #open = true;

  constructor(connection: Connection, number: number, forget: () => void) {
    this.connection = connection;
    this.number = number;
    this.#forget = forget;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  send(frame: Uint8Array): void {
    if (this.#open) this.connection.sendFrame(frame);
  }

  /** What still arrives is dropped. Says nothing to the sidecar. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.connection.closeStream(this.number);
    this.#forget();
  }
}
