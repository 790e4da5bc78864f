import type { Message, Transport } from "./transport.ts";

class MemoryTransport implements Transport {
  onMessage: ((message: Message) => void) | undefined;
  onClose: ((reason: Error | undefined) => void) | undefined;
  readonly bufferedBytes = 0;
  #other: MemoryTransport | undefined;
  #open = true;

  link(other: MemoryTransport): void {
    this.#other = other;
  }

  send(message: Message): void {
    if (!this.#open) return;
    const copy = typeof message === "string" ? message : Uint8Array.from(message);
    queueMicrotask(() => this.#other?.deliver(copy));
  }

  deliver(message: Message): void {
    if (this.#open) this.onMessage?.(message);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    const other = this.#other;
    queueMicrotask(() => {
      this.onClose?.(undefined);
      other?.close();
    });
  }
}

/** Two linked ends in one process, for tests and embedding. What is sent is copied, in order, never at once. */
export function createMemoryTransportPair(): [Transport, Transport] {
  const a = new MemoryTransport();
  const b = new MemoryTransport();
  a.link(b);
  b.link(a);
  return [a, b];
}
