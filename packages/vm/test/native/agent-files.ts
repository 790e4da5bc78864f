import assert from "node:assert/strict";

import type { Agent } from "./agent-harness.ts";
import { readFail, type Failure } from "./agent-link.ts";
import { field, Kind, u32, u64, type Frame } from "./frame-codec.ts";

/** What a FILE frame asks for. */
export const Op = {
  stat: 1,
  lstat: 2,
  readdir: 3,
  mkdir: 4,
  rm: 5,
  rename: 6,
  copy: 7,
  symlink: 8,
  readlink: 9,
  chmod: 10,
  truncate: 11,
  read: 12,
  write: 13,
  utimes: 14,
  realpath: 15,
};
/** Its flags. */
export const Flag = { recursive: 1, force: 2, noOverwrite: 4, append: 8, exclusive: 16, keep: 32 };

interface Options {
  readonly path2?: string;
  readonly mode?: number;
  readonly length?: bigint | number;
  readonly start?: bigint | number;
  readonly flags?: number;
  readonly window?: number;
}

/** Files of a VM, asked for on the link itself. */
export class AgentFiles {
  readonly #link: Agent["link"];

  constructor({ link }: Agent) {
    this.#link = link;
  }

  request(op: number, path: string, options: Options = {}): number {
    const { path2, mode, length, start, flags, window } = options;
    const fields = [field(60, Buffer.of(op)), field(61, path)];
    if (path2 !== undefined) fields.push(field(62, path2));
    if (mode !== undefined) fields.push(field(63, u32(mode)));
    if (length !== undefined) fields.push(field(64, u64(length)));
    if (start !== undefined) fields.push(field(65, u64(start)));
    if (flags !== undefined) fields.push(field(66, u32(flags)));
    if (window !== undefined) fields.push(field(45, u32(window)));
    const stream = this.#link.stream();
    this.#link.send(Kind.file, stream, 0, Buffer.concat(fields));
    return stream;
  }

  async ask(op: number, path: string, options: Options = {}): Promise<Buffer | Failure> {
    const frame = await this.#link.next(this.request(op, path, options));
    return frame.kind === Kind.fileResult ? frame.payload : readFail(frame);
  }

  /** Everything that READ or READDIR sends, acknowledged as it comes. */
  async readAll(
    op: number,
    path: string,
    options: Options = {},
  ): Promise<{ first: Frame; bytes: Buffer }> {
    const stream = this.request(op, path, options);
    const first = await this.#link.expect(Kind.fileResult, stream);
    const pieces: Buffer[] = [];
    for (let received = 0; ;) {
      const frame = await this.#link.next(stream);
      assert.equal(frame.offset, received);
      if (frame.kind === Kind.end) return { first, bytes: Buffer.concat(pieces) };
      assert.equal(frame.kind, Kind.out);
      pieces.push(frame.payload);
      received += frame.payload.length;
      this.#link.ack(stream, 1, received);
    }
  }

  async readText(path: string, options?: Options): Promise<string> {
    return (await this.readAll(Op.read, path, options)).bytes.toString();
  }

  async write(path: string, content: Buffer, options: Options = {}): Promise<Buffer | Failure> {
    const link = this.#link;
    const window = options.window ?? 262_144;
    const stream = this.request(Op.write, path, { window, ...options });
    let taken = 0;
    for (let sent = 0; sent < content.length;) {
      while (sent < content.length && sent - taken < window) {
        const end = Math.min(sent + 65_536, taken + window, content.length);
        link.send(Kind.dataIn, stream, sent, content.subarray(sent, end));
        sent = end;
      }
      const frame = await link.next(stream);
      if (frame.kind === Kind.fail) return readFail(frame);
      taken = frame.offset;
    }
    link.send(Kind.eofIn, stream, content.length);
    for (;;) {
      const frame = await link.next(stream);
      if (frame.kind === Kind.fail) return readFail(frame);
      if (frame.kind === Kind.fileResult) return frame.payload;
    }
  }
}
