import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

import type { Clock } from "@agentos/core";
import { nodeHttp } from "@agentos/protocol";

import { GATEWAY_BOUNDS } from "./gateway-bounds.ts";

/** Answers a request that came from that VM. Never rejects. */
export type GuestHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  vmKey: string,
) => Promise<void>;

interface Guest {
  readonly vmKey: string;
  /** Ends the connection unless a request comes. */
  cancelIdle: () => void;
}

/** HTTP on connections that programs of VMs have made: each bounded in time, each VM in number. */
export class GuestServer implements Disposable {
  readonly #clock: Clock;
  readonly #server: Server;
  readonly #guests = new Map<Duplex, Guest>();
  readonly #perVm = new Map<string, number>();

  constructor(clock: Clock, handler: GuestHandler) {
    this.#clock = clock;
    this.#server = nodeHttp.createServer({ maxHeaderSize: GATEWAY_BOUNDS.headerBytes });
    this.#server.on("request", (request, response) => {
      const { socket } = request;
      const guest = this.#guests.get(socket);
      if (guest === undefined) {
        socket.destroy();
        return;
      }
      guest.cancelIdle();
      response.once("close", () =>
        this.#waitForRequest(socket, guest, GATEWAY_BOUNDS.idleConnectionMs),
      );
      void handler(request, response, guest.vmKey);
    });
    // What is no HTTP gets no long answer.
    this.#server.on("clientError", (_error, socket) => socket.destroy());
  }

  /** Takes a connection; one too many of that VM is closed. */
  accept(socket: Duplex, vmKey: string): void {
    const open = this.#perVm.get(vmKey) ?? 0;
    // Of one that breaks, `close` tells.
    socket.on("error", () => undefined);
    if (open >= GATEWAY_BOUNDS.connectionsPerVm) return void socket.destroy();
    this.#perVm.set(vmKey, open + 1);
    const guest: Guest = { vmKey, cancelIdle: () => undefined };
    this.#guests.set(socket, guest);
    socket.once("close", () => this.#gone(socket, guest));
    this.#waitForRequest(socket, guest, GATEWAY_BOUNDS.headersMs);
    // What Node's documentation offers for sockets of one's own.
    this.#server.emit("connection", socket);
  }

  [Symbol.dispose](): void {
    for (const socket of this.#guests.keys()) socket.destroy();
  }

  /** The headers of a slow client count as none. */
  #waitForRequest(socket: Duplex, guest: Guest, ms: number): void {
    if (socket.destroyed) return;
    guest.cancelIdle();
    guest.cancelIdle = this.#clock.after(ms, () => socket.destroy());
  }

  #gone(socket: Duplex, guest: Guest): void {
    guest.cancelIdle();
    this.#guests.delete(socket);
    const left = (this.#perVm.get(guest.vmKey) ?? 1) - 1;
    if (left === 0) this.#perVm.delete(guest.vmKey);
    else this.#perVm.set(guest.vmKey, left);
  }
}
