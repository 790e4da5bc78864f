// Runs a command over a link to its end: what a client of the sidecar would see.
import {
  readExit,
  readFail,
  type AgentLink,
  type ExecOptions,
  type Exit,
  type Failure,
} from "./agent-link.ts";
import { Kind, type Frame } from "./frame-codec.ts";

export interface Result extends Exit {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly fail?: Failure;
  readonly ended: number[];
}

/** Collects one process's output, checks offsets, acknowledges, and sends stdin within its window. */
export class Collector {
  readonly #link: AgentLink;
  readonly #stream: number;
  readonly #pieces: [Buffer[], Buffer[]] = [[], []];
  readonly received: [number, number] = [0, 0];
  readonly ended: number[] = [];
  exit: Exit | undefined;
  #input: Buffer;
  readonly #window: number;
  #taken = 0;
  #sent = 0;
  #eofSent = false;
  readonly #done = Promise.withResolvers<Result>();
  readonly #closed = Promise.withResolvers<void>();
  onFrame: (frame: Frame) => void = () => {};

  constructor(link: AgentLink, stream: number, options: ExecOptions = {}) {
    this.#link = link;
    this.#stream = stream;
    this.#input = options.input ?? Buffer.alloc(0);
    this.#window = options.stdinWindow ?? 262_144;
    this.#eofSent = options.input === undefined;
    link.listen(stream, (frame) => this.#receive(frame));
    this.#push();
  }

  get result(): Promise<Result> {
    return this.#done.promise;
  }

  /** Resolves when it has exited and no process holds its output any more: one that was killed may take a moment. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  #push(): void {
    while (this.#sent < this.#input.length && this.#sent - this.#taken < this.#window) {
      const end = Math.min(this.#sent + 65_536, this.#taken + this.#window, this.#input.length);
      this.#link.send(Kind.dataIn, this.#stream, this.#sent, this.#input.subarray(this.#sent, end));
      this.#sent = end;
    }
    if (this.#sent < this.#input.length || this.#eofSent) return;
    this.#eofSent = true;
    this.#link.send(Kind.eofIn, this.#stream, this.#sent);
  }

  #data(channel: 0 | 1, { offset, payload }: Frame): void {
    if (offset !== this.received[channel]) {
      this.#done.reject(new Error(`offset ${offset} instead of ${this.received[channel]}`));
    }
    this.#pieces[channel].push(payload);
    this.received[channel] += payload.length;
    this.#link.ack(this.#stream, channel + 1, this.received[channel]);
  }

  #receive(frame: Frame): void {
    if (frame.kind === Kind.out) this.#data(0, frame);
    else if (frame.kind === Kind.err) this.#data(1, frame);
    else if (frame.kind === Kind.end) this.ended.push(frame.payload.readUInt8(0));
    else if (frame.kind === Kind.exit) this.exit = readExit(frame);
    else if (frame.kind === Kind.inAck) {
      this.#taken = frame.offset;
      this.#push();
    } else if (frame.kind === Kind.fail) this.#finish(readFail(frame));
    this.onFrame(frame);
    const { open, totals } = this.exit ?? {};
    // A bit for each channel that was open at the exit: its end comes by itself.
    const ends = open === undefined ? Infinity : (open & 1) + (open >> 1);
    if (this.ended.length >= ends) this.#closed.resolve();
    if (totals && totals[0] <= this.received[0] && totals[1] <= this.received[1]) this.#finish();
  }

  #finish(fail?: Failure): void {
    const none = {
      code: -1,
      cause: -1,
      reason: 0,
      open: 0,
      totals: [0, 0] as [number, number],
      durationUs: 0,
    };
    this.#done.resolve({
      ...(this.exit ?? none),
      stdout: Buffer.concat(this.#pieces[0]),
      stderr: Buffer.concat(this.#pieces[1]),
      ended: this.ended,
      ...(fail && { fail }),
    });
  }
}

/** Runs and releases. */
export async function runCommand(
  link: AgentLink,
  args: string[],
  options: ExecOptions = {},
): Promise<Result> {
  const stream = link.exec(args, options);
  const result = await new Collector(link, stream, options).result;
  if (!result.fail) link.release(stream);
  link.unlisten(stream);
  return result;
}
