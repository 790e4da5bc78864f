import * as z from "zod";

import { createMemoryTransportPair } from "../src/memory-transport.ts";
import { Peer, type PeerOptions } from "../src/peer.ts";
import type { Message, Transport } from "../src/transport.ts";

/** A peer, and the other end of its connection without one. */
export class RawEnd {
  readonly peer: Peer;
  readonly received: Message[] = [];
  readonly faults: unknown[] = [];
  readonly transport: Transport;
  #change = Promise.withResolvers<void>();

  constructor(options: Partial<PeerOptions> = {}) {
    const [near, far] = createMemoryTransportPair();
    this.transport = far;
    far.onMessage = (message) => {
      this.received.push(message);
      this.#change.resolve();
      this.#change = Promise.withResolvers<void>();
    };
    this.peer = new Peer(near, {
      handlers: {},
      onFault: (error) => this.faults.push(error),
      ...options,
    });
  }

  send(envelope: unknown): void {
    this.transport.send(JSON.stringify(envelope));
  }

  /** The text messages that came, parsed. */
  get envelopes(): unknown[] {
    return this.received.filter((message) => typeof message === "string").map(parse);
  }

  /** The answers that came, in the order of their requests' ids. */
  get byId(): unknown[] {
    return this.envelopes.toSorted((a, b) => idOf(a) - idOf(b));
  }

  /** Resolves when `count` messages have come. */
  async messages(count: number): Promise<unknown[]> {
    while (this.received.length < count) await this.#change.promise;
    return this.envelopes;
  }
}

function parse(text: string): unknown {
  return JSON.parse(text);
}

function idOf(envelope: unknown): number {
  return z.object({ id: z.int() }).parse(envelope).id;
}
