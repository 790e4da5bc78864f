import type { Duplex } from "node:stream";
import { finished } from "node:stream/promises";

import type { Clock } from "@agentos/core";

import { readHello } from "./door-hello.ts";
import { McpServer } from "./mcp-server.ts";
import type { SessionTools } from "./session-tools.ts";
import { TOOL_BOUNDS } from "./tool-bounds.ts";
import { runToolCommand } from "./tool-command.ts";

const LF = 0x0a;
/** Frames of a call's answer, as `agentos-tool` reads them: u8 kind, u32 length, bytes. */
const FRAME = { stdout: 1, stderr: 2, exit: 3 } as const;

export interface DoorServerOptions {
  readonly clock: Clock;
  /** The tools that a token opens from that VM. */
  readonly find: (token: string, vmKey: string) => SessionTools | undefined;
}

/** Serves the programs of VMs that come to their doors. */
export class ToolDoorServer implements Disposable {
  readonly #options: DoorServerOptions;
  readonly #sockets = new Set<Duplex>();
  readonly #perVm = new Map<string, number>();

  constructor(options: DoorServerOptions) {
    this.#options = options;
  }

  /** Takes a connection; one too many of that VM is closed. Resolves when it is over; never rejects. */
  async accept(socket: Duplex, vmKey: string): Promise<void> {
    // Of one that breaks, the loops over it tell.
    socket.on("error", () => undefined);
    const open = this.#perVm.get(vmKey) ?? 0;
    if (open >= TOOL_BOUNDS.connectionsPerVm) {
      socket.destroy();
      return;
    }
    this.#perVm.set(vmKey, open + 1);
    this.#sockets.add(socket);
    try {
      await this.#serve(socket, vmKey);
    } catch {
      // The program went away; what it asked for is cancelled.
    } finally {
      socket.destroy();
      this.#sockets.delete(socket);
      const left = (this.#perVm.get(vmKey) ?? 1) - 1;
      if (left === 0) this.#perVm.delete(vmKey);
      else this.#perVm.set(vmKey, left);
    }
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #serve(socket: Duplex, vmKey: string): Promise<void> {
    const { clock, find } = this.#options;
    const cancel = clock.after(TOOL_BOUNDS.helloMs, () => socket.destroy());
    const hello = await readHello(socket).finally(cancel);
    if (hello === undefined) return;
    const tools = find(hello.token, vmKey);
    if (hello.mode === "mcp") await serveMcp(socket, tools);
    else await serveCall(socket, tools, hello.args);
  }
}

async function serveMcp(socket: Duplex, tools: SessionTools | undefined): Promise<void> {
  const server = new McpServer(tools);
  const work = new Set<Promise<void>>();
  const ended = (): void => void socket.destroy();
  tools?.closed.signal.addEventListener("abort", ended, { once: true });
  try {
    for await (const line of linesOf(socket)) {
      const answered = tell(socket, server.answer(line));
      work.add(answered);
      void answered.finally(() => work.delete(answered));
      // One that does not read its answers is not read either.
      await drained(socket);
    }
    await Promise.all(work);
    socket.end();
    await finished(socket, { readable: false });
  } finally {
    server.close();
    tools?.closed.signal.removeEventListener("abort", ended);
  }
}

/** At once where there is room, or nobody reads any more. */
async function drained(socket: Duplex): Promise<void> {
  if (!socket.writableNeedDrain || socket.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once("drain", resolve).once("close", resolve);
  await promise;
  socket.off("drain", resolve).off("close", resolve);
}

async function tell(socket: Duplex, answering: Promise<string | undefined>): Promise<void> {
  const answer = await answering;
  if (answer !== undefined && socket.writable) socket.write(`${answer}\n`);
}

async function serveCall(
  socket: Duplex,
  tools: SessionTools | undefined,
  args: readonly string[],
): Promise<void> {
  const gone = new AbortController();
  socket.once("close", () => gone.abort());
  // Nothing more is said; what comes all the same is dropped, and the end is seen.
  socket.resume();
  const { stdout, stderr, exitCode } = await runToolCommand(tools, args, gone.signal);
  socket.write(frame(FRAME.stdout, Buffer.from(stdout)));
  socket.write(frame(FRAME.stderr, Buffer.from(stderr)));
  socket.end(frame(FRAME.exit, Buffer.of(exitCode)));
  await finished(socket, { readable: false });
}

function frame(kind: number, bytes: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt8(kind);
  header.writeUInt32LE(bytes.byteLength, 1);
  return Buffer.concat([header, bytes]);
}

/** Lines, split at LF on bytes. Throws for one beyond the bound. */
async function* linesOf(socket: Duplex): AsyncGenerator<string> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of socket) {
    let from = 0;
    const whole: Buffer = chunk;
    for (let at = whole.indexOf(LF); at !== -1; at = whole.indexOf(LF, from)) {
      const line = Buffer.concat([...pieces, whole.subarray(from, at)]).toString();
      pieces = [];
      bytes = 0;
      from = at + 1;
      if (line.trim() !== "") yield line;
    }
    const rest = whole.subarray(from);
    bytes += rest.byteLength;
    if (bytes > TOOL_BOUNDS.lineBytes) throw new Error("a line is too long");
    if (rest.byteLength > 0) pieces.push(rest);
  }
}
