import { once } from "node:events";
import type { Readable, Writable } from "node:stream";

export type Fields = Readonly<Record<string, unknown>>;

export interface V1Frame {
  readonly v: number;
  readonly type: string;
  readonly request_id?: string | null;
  readonly payload: Fields;
}

/** A client of the line protocol, as strict as the strictest that is known: a line over 65,536 bytes kills it. */
export class V1Client {
  readonly frames: V1Frame[] = [];
  readonly longest = { bytes: 0 };
  readonly #stdin: Writable;
  readonly #ended: Promise<unknown>;
  #change = Promise.withResolvers<void>();
  #lastId = 0;

  constructor(stdin: Writable, stdout: Readable) {
    this.#stdin = stdin;
    this.#ended = once(stdout, "end");
    let rest = Buffer.alloc(0);
    stdout.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
        this.#line(rest.subarray(0, end));
        rest = rest.subarray(end + 1);
      }
    });
  }

  /** Sends a request; resolves with its answer's frame. */
  async ask(type: string, payload: Fields = {}): Promise<V1Frame> {
    this.#lastId += 1;
    const id = `req_${this.#lastId}`;
    this.raw(JSON.stringify({ v: 1, type, request_id: id, payload }));
    return await this.frame((frame) => frame.request_id === id);
  }

  /** The result of a request that works. */
  async result(type: string, payload: Fields = {}): Promise<Fields> {
    const { type: kind, payload: answer } = await this.ask(type, payload);
    if (kind !== "ok") throw new Error(`expected ok, got ${kind}: ${JSON.stringify(answer)}`);
    return Object.fromEntries(Object.entries(answer["result"] ?? {}));
  }

  /** The code of a request that is refused. */
  async refusal(type: string, payload: Fields = {}): Promise<unknown> {
    const { type: kind, payload: answer } = await this.ask(type, payload);
    if (kind !== "error") throw new Error(`expected an error, got ${kind}`);
    return answer["code"];
  }

  raw(line: string): void {
    this.#stdin.write(`${line}\n`);
  }

  end(): void {
    this.#stdin.end();
  }

  get ended(): Promise<unknown> {
    return this.#ended;
  }

  get events(): Fields[] {
    return this.frames.filter(({ type }) => type === "event").map(({ payload }) => payload);
  }

  kinds(filter: Fields = {}): unknown[] {
    return this.events.filter((event) => matches(event, filter)).map(({ kind }) => kind);
  }

  /** Resolves with the first frame that is as asked, past or to come. */
  async frame(is: (frame: V1Frame) => boolean): Promise<V1Frame> {
    for (;;) {
      const found = this.frames.find(is);
      if (found !== undefined) return found;
      // oxlint-disable-next-line no-await-in-loop -- The next line is what this waits for.
      await this.#change.promise;
    }
  }

  /** The same for an event of that kind. */
  async event(kind: string, filter: Fields = {}): Promise<Fields> {
    const { payload } = await this.frame(
      (frame) => frame.type === "event" && matches(frame.payload, { kind, ...filter }),
    );
    return payload;
  }

  #line(line: Buffer): void {
    this.longest.bytes = Math.max(this.longest.bytes, line.byteLength);
    const value: V1Frame = JSON.parse(line.toString("utf8"));
    this.frames.push(value);
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }
}

function matches(event: Fields, filter: Fields): boolean {
  return Object.entries(filter).every(([name, value]) => event[name] === value);
}
