import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";

import { AgentOsError } from "@agentos/protocol";

import type { VmAdmin } from "../leases/vm-admin.ts";
import { acceptedStart, REFUSAL } from "./host-guard.ts";
import {
  type ForwardOptions,
  parseForwardOptions,
  parsePort,
  type PortForward,
} from "./network-options.ts";
import { connectTo } from "./vm-connection.ts";

const LOOPBACK = "127.0.0.1";
/** Connections of one forwarded port at once; a further one is reset. */
const MAX_CONNECTIONS = 256;

/** Listens on loopback here, and leads whoever comes to the port of the VM. */
export async function forwardPort(
  admin: VmAdmin,
  port: number,
  options: ForwardOptions,
): Promise<PortForward> {
  const { localPort = 0 } = parseForwardOptions(options);
  const vmPort = parsePort(port);
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    void carry(admin, vmPort, socket);
  });
  server.maxConnections = MAX_CONNECTIONS;
  const bound = await listen(server, localPort);
  const address = `${LOOPBACK}:${bound}`;
  return {
    port: vmPort,
    localPort: bound,
    address,
    url: `http://${address}`,
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Both ways at once: some programs speak first. What comes from here waits until it may pass. */
async function carry(admin: VmAdmin, port: number, socket: Socket): Promise<void> {
  socket.on("error", () => undefined);
  try {
    const target = await connectTo(admin, port);
    target.on("error", () => socket.resetAndDestroy());
    target.once("close", () => {
      if (!target.readableEnded && !socket.writableEnded) socket.resetAndDestroy();
    });
    socket.once("close", () => target.destroy());
    if (socket.destroyed) target.destroy();
    target.pipe(socket);
    const start = await acceptedStart(socket);
    if (start === undefined) return refuse(socket, target);
    target.write(start);
    socket.pipe(target);
  } catch {
    // Nobody listens there: what a port without a program says.
    socket.resetAndDestroy();
  }
}

function refuse(socket: Socket, target: Duplex): void {
  target.unpipe(socket);
  socket.end(REFUSAL);
  socket.resume();
  target.destroy();
}

async function listen(server: Server, port: number): Promise<number> {
  const listening = once(server, "listening");
  server.listen(port, LOOPBACK);
  try {
    await listening;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "EADDRINUSE") throw error;
    const message = `port ${port} of this machine is in use`;
    throw new AgentOsError("PORT_IN_USE", message, { port: String(port) }, { cause: error });
  }
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("expected a port");
  return address.port;
}
