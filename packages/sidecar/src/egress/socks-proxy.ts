import type { Duplex } from "node:stream";

import { parseNetworkHost } from "@agentos/protocol";

import { Refusal } from "./dial.ts";
import type { Asked, EgressGate } from "./egress-gate.ts";
import { tunnel } from "./tunnel.ts";

const VERSION = 5;
const NO_AUTHENTICATION = 0;
const NO_METHOD = 0xff;
const CONNECT = 1;
const REPLY = { done: 0, forbidden: 2, unreachable: 4, command: 7, address: 8 } as const;
const HANDSHAKE_MS = 30_000;

/** SOCKS5 (RFC 1928) for one connection of a VM's program: CONNECT, without authentication. Names are looked up here. */
export async function serveSocks(gate: EgressGate, socket: Duplex): Promise<void> {
  socket.on("error", () => socket.destroy());
  const timer = setTimeout(() => socket.destroy(), HANDSHAKE_MS);
  try {
    const asked = await handshake(socket);
    if (asked === undefined) return void socket.end();
    const server = await gate.open(asked);
    socket.write(reply(REPLY.done));
    if (socket.destroyed) server.destroy();
    tunnel(gate, asked, socket, server);
  } catch (error) {
    if (!(error instanceof Refusal)) return void socket.destroy();
    socket.end(reply(error.kind === "policy" ? REPLY.forbidden : REPLY.unreachable));
  } finally {
    clearTimeout(timer);
  }
}

/** What is asked for; undefined where it was answered that this is not to be had. */
async function handshake(socket: Duplex): Promise<Asked | undefined> {
  const [version, count = 0] = await read(socket, 2);
  if (version !== VERSION) throw new Error("not SOCKS5");
  const methods = await read(socket, count);
  const isOpen = methods.includes(NO_AUTHENTICATION);
  socket.write(Buffer.of(VERSION, isOpen ? NO_AUTHENTICATION : NO_METHOD));
  if (!isOpen) return undefined;
  const [again, command, , type] = await read(socket, 4);
  if (again !== VERSION) throw new Error("not SOCKS5");
  const host = await readHost(socket, type);
  if (host === undefined || command !== CONNECT) {
    socket.write(reply(host === undefined ? REPLY.address : REPLY.command));
    return undefined;
  }
  const port = (await read(socket, 2)).readUInt16BE(0);
  const parsed = parseNetworkHost(host);
  const target = parsed === undefined || port === 0 ? undefined : { host: parsed, port };
  return { via: "socks", target, shown: host };
}

async function readHost(socket: Duplex, type: number | undefined): Promise<string | undefined> {
  if (type === 1) return (await read(socket, 4)).join(".");
  if (type === 3) {
    const [length = 0] = await read(socket, 1);
    return (await read(socket, length)).toString("utf8");
  }
  if (type !== 4) return undefined;
  const bytes = await read(socket, 16);
  return Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(2 * at).toString(16)).join(":");
}

function reply(code: number): Buffer {
  return Buffer.of(VERSION, code, 0, 1, 0, 0, 0, 0, 0, 0);
}

/** Exactly so many bytes. Rejects where the stream ends before. */
async function read(socket: Duplex, length: number): Promise<Buffer> {
  if (length === 0) return Buffer.alloc(0);
  for (;;) {
    const bytes: unknown = socket.read(length);
    if (Buffer.isBuffer(bytes) && bytes.byteLength === length) return bytes;
    if (Buffer.isBuffer(bytes) || socket.readableEnded || socket.destroyed) throw new Error("cut");
    // oxlint-disable-next-line no-await-in-loop -- the bytes come one after the other
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        for (const event of ["readable", "end", "close"]) socket.off(event, wake);
        resolve();
      };
      for (const event of ["readable", "end", "close"]) socket.on(event, wake);
    });
  }
}
