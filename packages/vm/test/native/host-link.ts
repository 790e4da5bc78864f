// The sidecar's end of the vmd link, as little of it as the tests of the host side need.
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export const Kind = {
  create: 0x01,
  watch: 0x02,
  kill: 0x03,
  config: 0x04,
  prepare: 0x06,
  keep: 0x07,
  exec: 0x10,
  ack: 0x13,
  signal: 0x14,
  release: 0x15,
  ping: 0x18,
  shutdown: 0x1a,
  launched: 0x80,
  ready: 0x81,
  fail: 0x82,
  gone: 0x83,
  live: 0x84,
  end: 0x85,
  started: 0x90,
  out: 0x92,
  err: 0x93,
  exit: 0x95,
  pong: 0x98,
} as const;

export interface Frame {
  kind: number;
  stream: number;
  offset: bigint;
  payload: Buffer;
}

export const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

export const u64 = (value: number | bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};

export function field(tag: number, value: string | Buffer): Buffer {
  const bytes = typeof value === "string" ? Buffer.from(value) : value;
  const header = Buffer.alloc(6);
  header.writeUInt16LE(tag);
  header.writeUInt32LE(bytes.length, 2);
  return Buffer.concat([header, bytes]);
}

export function frame(
  kind: number,
  payload: Buffer = Buffer.alloc(0),
  stream = 0,
  offset = 0n,
): Buffer {
  const header = Buffer.alloc(17);
  header.writeUInt32LE(payload.length);
  header.writeUInt8(kind, 4);
  header.writeUInt32LE(stream, 5);
  header.writeBigUInt64LE(offset, 9);
  return Buffer.concat([header, payload]);
}

/** Errno and step of a FAIL frame. */
export function failure(received: Frame | undefined): { errno: number; step: string } | undefined {
  if (received?.kind !== Kind.fail) return undefined;
  return { errno: received.payload.readUInt32LE(), step: received.payload.toString("utf8", 4) };
}

/** A connection as a queue of frames; `undefined` once it is closed. */
export class Link {
  readonly socket: Socket;
  #bytes = Buffer.alloc(0);
  #frames: Frame[] = [];
  #waiting: ((frame: Frame | undefined) => void)[] = [];
  #closed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#closed = true;
      for (const resolve of this.#waiting.splice(0)) resolve(undefined);
    });
  }

  /** Connects as `uid`: vmd serves only the user that started it. */
  static async open(path: string, uid?: number): Promise<Link> {
    const own = process.geteuid?.();
    const change = uid !== undefined && uid !== own;
    if (change) process.seteuid?.(uid);
    let socket: Socket;
    try {
      socket = connect(path);
    } finally {
      if (change && own !== undefined) process.seteuid?.(own);
    }
    await once(socket, "connect");
    return new Link(socket);
  }

  send(...frames: Buffer[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  next(): Promise<Frame | undefined> {
    const received = this.#frames.shift();
    if (received !== undefined || this.#closed) return Promise.resolve(received);
    return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  close(): void {
    this.socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 17) {
      const end = 17 + this.#bytes.readUInt32LE();
      if (this.#bytes.length < end) return;
      const received = {
        kind: this.#bytes.readUInt8(4),
        stream: this.#bytes.readUInt32LE(5),
        offset: this.#bytes.readBigUInt64LE(9),
        payload: Buffer.from(this.#bytes.subarray(17, end)),
      };
      this.#bytes = this.#bytes.subarray(end);
      const resolve = this.#waiting.shift();
      if (resolve) resolve(received);
      else this.#frames.push(received);
    }
  }
}
