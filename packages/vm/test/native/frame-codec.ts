// The smallest codec of docs/vmd-link.md, written apart from the one in src so that they check each other.

export const Kind = {
  config: 0x04,
  hello: 0x05,
  keep: 0x07,
  exec: 0x10,
  dataIn: 0x11,
  eofIn: 0x12,
  ack: 0x13,
  signal: 0x14,
  release: 0x15,
  table: 0x16,
  ping: 0x18,
  processes: 0x19,
  shutdown: 0x1a,
  resume: 0x1b,
  readLog: 0x1c,
  file: 0x20,
  resize: 0x30,
  attach: 0x31,
  connect: 0x40,
  listen: 0x41,
  take: 0x42,
  refuse: 0x43,
  ready: 0x81,
  fail: 0x82,
  end: 0x85,
  started: 0x90,
  inAck: 0x91,
  out: 0x92,
  err: 0x93,
  exit: 0x95,
  tableEntry: 0x96,
  resumed: 0x97,
  pong: 0x98,
  processList: 0x99,
  fileResult: 0xa0,
  attached: 0xb0,
  connected: 0xc0,
  listening: 0xc1,
  incoming: 0xc2,
} as const;

export interface Frame {
  readonly kind: number;
  readonly stream: number;
  readonly offset: number;
  readonly payload: Buffer;
}

const empty = Buffer.alloc(0);

export function encodeFrame(
  kind: number,
  stream: number,
  offset = 0,
  payload: Uint8Array = empty,
): Buffer {
  const frame = Buffer.allocUnsafe(17 + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt8(kind, 4);
  frame.writeUInt32LE(stream, 5);
  frame.writeBigUInt64LE(BigInt(offset), 9);
  frame.set(payload, 17);
  return frame;
}

export function field(tag: number, value: string | Uint8Array): Buffer {
  const bytes = typeof value === "string" ? Buffer.from(value) : value;
  const header = Buffer.alloc(6);
  header.writeUInt16LE(tag, 0);
  header.writeUInt32LE(bytes.length, 2);
  return Buffer.concat([header, bytes]);
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** The value of the first field with the tag. */
export function fieldOf(payload: Buffer, tag: number): Buffer {
  for (let at = 0; at < payload.length; at += 6 + payload.readUInt32LE(at + 2)) {
    if (payload.readUInt16LE(at) !== tag) continue;
    return payload.subarray(at + 6, at + 6 + payload.readUInt32LE(at + 2));
  }
  throw new Error(`no field ${tag}`);
}

/** Cuts a byte stream into frames. */
export class FrameParser {
  #pieces: Buffer[] = [];
  #length = 0;
  #wanted = 17;

  push(bytes: Buffer): Frame[] {
    this.#pieces.push(bytes);
    this.#length += bytes.length;
    if (this.#length < this.#wanted) return [];
    let buffer = this.#pieces.length === 1 ? bytes : Buffer.concat(this.#pieces);
    const frames: Frame[] = [];
    for (;;) {
      this.#wanted = buffer.length < 17 ? 17 : 17 + buffer.readUInt32LE(0);
      if (buffer.length < this.#wanted) break;
      frames.push({
        kind: buffer.readUInt8(4),
        stream: buffer.readUInt32LE(5),
        offset: Number(buffer.readBigUInt64LE(9)),
        payload: buffer.subarray(17, this.#wanted),
      });
      buffer = buffer.subarray(this.#wanted);
    }
    this.#pieces = buffer.length === 0 ? [] : [buffer];
    this.#length = buffer.length;
    return frames;
  }
}
