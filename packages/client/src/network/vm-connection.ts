import type { Duplex } from "node:stream";

import { AgentOsError, FrameDuplex, isAgentOsError, type StreamFrame } from "@agentos/protocol";

import type { Connection } from "../connection/connection.ts";
import type { FrameReceiver } from "../connection/frame-receiver.ts";
import { isLost } from "../connection/lost-connection.ts";
import type { Resumable } from "../connection/resumable.ts";
import type { VmAdmin } from "../leases/vm-admin.ts";
import type { VmStream } from "../leases/vm-stream.ts";
import { cancelled } from "../race-signal.ts";
import { type ConnectOptions, parseConnectOptions, parsePort } from "./network-options.ts";

/** One connection to a program of the VM. It ends with the connection to the sidecar: nobody can tell what of it arrived. */
class VmConnection implements FrameReceiver, Resumable {
  readonly socket = new FrameDuplex();
  readonly opened: Promise<void>;
  readonly #admin: VmAdmin;
  readonly #port: number;
  readonly #stream: VmStream;
  readonly #opening = Promise.withResolvers<void>();
  #state: "connecting" | "open" | "over" = "connecting";

  constructor(admin: VmAdmin, port: number) {
    this.#admin = admin;
    this.#port = port;
    this.opened = this.#opening.promise;
    this.#stream = admin.openStream(this);
    // A failure before its first byte goes to whoever connects.
    this.socket.on("error", () => undefined);
    this.socket.once("close", () => this.fail(new Error("it was closed before it was open")));
  }

  resume(connection: Connection): void {
    if (this.#state === "open") return this.fail(connectionLost());
    const stream = this.#stream.carry(connection);
    const params = { ...this.#admin.scope, stream, port: this.#port };
    connection.request("network.connect", params).then(
      () => this.#open(),
      (error: unknown) => {
        if (!isLost(error, connection)) this.fail(error);
      },
    );
  }

  frame(frame: StreamFrame): void {
    this.socket.receive(frame);
  }

  lost(reason: AgentOsError): void {
    this.fail(asSocketError(reason));
  }

  fail(reason: unknown): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#opening.reject(reason);
    this.#admin.finish(this);
    this.#admin.abandon(this.#stream);
    this.socket.destroy(reason instanceof Error ? reason : undefined);
  }

  #open(): void {
    if (this.#state !== "connecting") return;
    this.#state = "open";
    this.socket.attach({
      send: (kind, offset, payload) => this.#stream.send(kind, offset, payload),
      close: () => this.fail(new Error("it was closed")),
    });
    this.#opening.resolve();
  }
}

/** Connects to a program that listens in the VM. Rejects with `PORT_CLOSED` where none does. */
export async function connectTo(
  admin: VmAdmin,
  port: number,
  options: ConnectOptions = {},
): Promise<Duplex> {
  const { signal } = parseConnectOptions(options);
  const connection = new VmConnection(admin, parsePort(port));
  const abort = (): void => connection.fail(cancelled("connecting", signal?.reason));
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted === true) abort();
  else admin.begin(connection);
  try {
    await connection.opened;
    return connection.socket;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** A reset by the program, as Node's own sockets tell it; whatever else as it is. */
function asSocketError(reason: AgentOsError): Error {
  if (!isAgentOsError(reason, "FILE_SYSTEM")) return reason;
  const { errno } = reason.details;
  return Object.assign(new Error(`the program's connection failed: ${errno}`), { code: errno });
}

function connectionLost(): AgentOsError<"CONNECTION_LOST"> {
  const reason = "the connection to the sidecar was lost, and with it those to programs of the VM";
  return new AgentOsError("CONNECTION_LOST", reason, { reason });
}
