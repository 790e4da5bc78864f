// A sidecar's end of the link, for tests.
import type { Socket } from "node:net";

import { encodeFrame, field, FrameParser, Kind, u32, u64, type Frame } from "./frame-codec.ts";

export interface Failure {
  readonly errno: number;
  readonly step: string;
}

export interface ExecOptions {
  readonly id?: string;
  readonly stream?: number;
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly window?: number;
  readonly timeoutMs?: number;
  readonly stdin?: boolean;
  readonly stdinWindow?: number;
  readonly logged?: boolean;
  /** No program, but what the agent does itself. */
  readonly builtin?: boolean;
  /** Columns and rows. */
  readonly terminal?: readonly [number, number];
  readonly input?: Buffer;
}

export interface AttachOptions {
  readonly stream?: number;
  readonly id?: string;
  readonly from?: number;
  readonly window?: number;
  readonly stdinWindow?: number;
  readonly holds?: boolean;
}

export interface Exit {
  readonly code: number;
  readonly cause: number;
  readonly reason: number;
  readonly open: number;
  readonly totals: [number, number];
  readonly durationUs: number;
}

export function readExit({ payload }: Frame): Exit {
  return {
    cause: payload.readUInt8(0),
    code: payload.readUInt32LE(1),
    reason: payload.readUInt8(5),
    open: payload.readUInt8(6),
    totals: [Number(payload.readBigUInt64LE(7)), Number(payload.readBigUInt64LE(15))],
    durationUs: Number(payload.readBigUInt64LE(23)),
  };
}

export function readFail({ kind, payload }: Frame): Failure {
  if (kind !== Kind.fail) throw new Error(`kind 0x${kind.toString(16)} instead of FAIL`);
  return { errno: payload.readUInt32LE(0), step: payload.subarray(4).toString() };
}

export class AgentLink {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  readonly #parser = new FrameParser();
  readonly #queues = new Map<number, Frame[]>();
  readonly #waiting = new Map<number, ((frame: Frame) => void)[]>();
  readonly #listeners = new Map<number, (frame: Frame) => void>();
  static #nextStream = 1;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes: Buffer) => {
      for (const frame of this.#parser.push(bytes)) this.#deliver(frame);
    });
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      socket.on("close", () => resolve());
    });
  }

  #deliver(frame: Frame): void {
    const listener = this.#listeners.get(frame.stream);
    if (listener) return listener(frame);
    const waiting = this.#waiting.get(frame.stream)?.shift();
    if (waiting) return waiting(frame);
    const queue = this.#queues.get(frame.stream) ?? [];
    queue.push(frame);
    this.#queues.set(frame.stream, queue);
  }

  stream(): number {
    return AgentLink.#nextStream++;
  }

  send(kind: number, stream: number, offset = 0, payload?: Uint8Array): void {
    this.socket.write(encodeFrame(kind, stream, offset, payload));
  }

  next(stream: number): Promise<Frame> {
    const frame = this.#queues.get(stream)?.shift();
    if (frame) return Promise.resolve(frame);
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(stream) ?? [];
      waiting.push(resolve);
      this.#waiting.set(stream, waiting);
    });
  }

  /** Every frame of the stream, those that wait included. */
  listen(stream: number, listener: (frame: Frame) => void): void {
    this.#listeners.set(stream, listener);
    for (const frame of this.#queues.get(stream) ?? []) listener(frame);
    this.#queues.delete(stream);
  }

  unlisten(stream: number): void {
    this.#listeners.delete(stream);
  }

  /** The next frame, which must be of that kind. */
  async expect(kind: number, stream: number): Promise<Frame> {
    const frame = await this.next(stream);
    if (frame.kind === kind) return frame;
    const why = frame.kind === Kind.fail ? JSON.stringify(readFail(frame)) : "";
    throw new Error(`kind 0x${frame.kind.toString(16)} instead of 0x${kind.toString(16)} ${why}`);
  }

  /** The EXIT that is next, or behind END: a busy machine may take longer than vmd waits for it. */
  async exit(stream: number): Promise<Exit> {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop
      const frame = await this.next(stream);
      if (frame.kind === Kind.exit) return readExit(frame);
      if (frame.kind !== Kind.end) throw new Error(`kind 0x${frame.kind.toString(16)}, not EXIT`);
    }
  }

  exec(args: string[], options: ExecOptions = {}): number {
    const stream = options.stream ?? this.stream();
    const env = { PATH: "/usr/local/bin:/usr/bin:/bin", ...options.env };
    const flags =
      (options.stdin || options.input ? 1 : 0) |
      (options.logged ? 2 : 0) |
      (options.terminal ? 4 : 0) |
      (options.builtin ? 16 : 0);
    const fields = [
      field(40, options.id ?? `p${stream}`),
      ...args.map((arg) => field(41, arg)),
      ...Object.entries(env).map(([name, value]) => field(42, `${name}=${value}`)),
      field(43, options.cwd ?? "/"),
      field(44, u32(flags)),
      field(45, u32(options.window ?? 262_144)),
      field(46, u32(options.timeoutMs ?? 0)),
      field(47, u32(options.stdinWindow ?? 262_144)),
      ...(options.terminal ?? []).map((value, index) => field(48 + index, u32(value))),
    ];
    this.send(Kind.exec, stream, 0, Buffer.concat(fields));
    return stream;
  }

  ack(stream: number, channel: number, offset: number): void {
    this.send(Kind.ack, stream, offset, Buffer.of(channel));
  }

  signal(stream: number, signal: number, scope = 0): void {
    this.send(Kind.signal, stream, 0, Buffer.concat([u32(signal), Buffer.of(scope)]));
  }

  /** A reader and writer of the process's terminal. */
  attach(process: number, options: AttachOptions = {}): number {
    const stream = options.stream ?? this.stream();
    const { from = 0, window = 65_536, stdinWindow = 65_536, holds = true } = options;
    const numbers = [u32(process), u64(from), u32(window), u32(stdinWindow)];
    const id = Buffer.from(options.id ?? `a${stream}`);
    this.send(Kind.attach, stream, 0, Buffer.concat([...numbers, Buffer.of(holds ? 1 : 0), id]));
    return stream;
  }

  resize(stream: number, columns: number, rows: number): void {
    const size = Buffer.alloc(4);
    size.writeUInt16LE(columns, 0);
    size.writeUInt16LE(rows, 2);
    this.send(Kind.resize, stream, 0, size);
  }

  release(stream: number): void {
    this.send(Kind.release, stream);
  }

  resume(stream: number, out: number, err: number): void {
    this.send(Kind.resume, stream, 0, Buffer.concat([u64(out), u64(err)]));
  }

  async ping(): Promise<void> {
    const stream = this.stream();
    this.send(Kind.ping, stream);
    await this.expect(Kind.pong, stream);
  }

  close(): void {
    this.socket.destroy();
  }
}
