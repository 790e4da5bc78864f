import { constants } from "node:os";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { canRunAgent, startAgent, type Agent } from "./agent-harness.ts";
import { hello } from "./agent-hello.ts";
import { readExit, readFail, type AgentLink, type AttachOptions } from "./agent-link.ts";
import { Kind } from "./frame-codec.ts";

const { errno } = constants;

/** One attachment: what it received, and its input within its window. */
class Screen {
  readonly stream: number;
  readonly #link: AgentLink;
  readonly #isPaused: boolean;
  #bytes = Buffer.alloc(0);
  #next: number;
  #sent = 0;
  #taken = 0;
  #queue = Buffer.alloc(0);
  gaps = 0;
  ended = false;
  failure: ReturnType<typeof readFail> | undefined;
  #wake: () => void = () => {};

  constructor(
    link: AgentLink,
    process: number,
    options: AttachOptions & { paused?: boolean } = {},
  ) {
    this.#link = link;
    this.#isPaused = options.paused === true;
    this.#next = options.from ?? 0;
    this.stream = link.attach(process, options);
    this.follow(link);
  }

  follow(link: AgentLink): void {
    link.listen(this.stream, ({ kind, offset, payload, ...frame }) => {
      if (kind === Kind.out) {
        if (offset !== this.#next) this.gaps += offset - this.#next;
        this.#bytes = Buffer.concat([this.#bytes, payload]);
        this.#next = offset + payload.length;
        if (!this.#isPaused) link.ack(this.stream, 1, this.#next);
      } else if (kind === Kind.end) this.ended = true;
      else if (kind === Kind.inAck) this.#acknowledged(offset);
      else if (kind === Kind.fail) this.failure = readFail({ kind, offset, payload, ...frame });
      this.#wake();
    });
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  get position(): number {
    return this.#next;
  }

  get text(): string {
    return this.#bytes.toString();
  }

  write(text: string | Buffer): void {
    this.#queue = Buffer.concat([this.#queue, Buffer.from(text)]);
    this.#push();
  }

  async until(check: () => boolean): Promise<void> {
    while (!check()) {
      // oxlint-disable-next-line no-await-in-loop
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async shows(text: string | RegExp): Promise<void> {
    await this.until(() =>
      typeof text === "string" ? this.text.includes(text) : text.test(this.text),
    );
  }

  #acknowledged(offset: number): void {
    this.#taken = offset;
    this.#push();
  }

  #push(): void {
    const room = 65_536 - (this.#sent - this.#taken);
    const piece = this.#queue.subarray(0, room);
    if (piece.length === 0) return;
    this.#link.send(Kind.dataIn, this.stream, this.#sent, piece);
    this.#sent += piece.length;
    this.#queue = this.#queue.subarray(piece.length);
  }
}

describe.runIf(canRunAgent)("a terminal of the agent", () => {
  let agent: Agent;
  let link: AgentLink;
  beforeAll(async () => {
    agent = await startAgent();
    link = agent.link;
  }, 60_000);
  afterAll(() => agent[Symbol.asyncDispose]());

  async function open(
    args: string[],
    options: { terminal?: [number, number]; window?: number } = {},
  ) {
    const stream = link.exec(args, { terminal: [80, 24], ...options });
    await link.expect(Kind.started, stream);
    return stream;
  }
  const run = (script: string, options = {}) => open(["/bin/sh", "-c", script], options);

  it("is the controlling terminal of a session of its own, with the size that was asked for", async () => {
    const stream = await run("tty; stty size; echo to-tty > /dev/tty; ps -o sid= -o pid= -p $$", {
      terminal: [111, 33],
    });
    const screen = new Screen(link, stream);
    await screen.until(() => screen.ended);
    const [tty, size, through, ids] = screen.text.split("\r\n");
    expect(tty).toMatch(/^\/dev\/pts\/\d+$/);
    expect([size, through]).toEqual(["33 111", "to-tty"]);
    const [sid, pid] = ids?.trim().split(/\s+/) ?? [];
    expect(sid).toBe(pid);
    link.release(screen.stream);
    link.release(stream);
  });

  it("takes input, echoes it, and passes Ctrl-C on as a signal", async () => {
    const stream = await run(
      "trap 'echo caught; exit 3' INT; read line; echo got $line; read more",
    );
    const screen = new Screen(link, stream);
    screen.write("wörd\r");
    await screen.shows("got wörd");
    screen.write("\u0003");
    await screen.until(() => screen.ended);
    // The kernel signals before it echoes: what the program says of it can come first.
    expect(["^Ccaught\r\n", "caught\r\n^C"].map((end) => `wörd\r\ngot wörd\r\n${end}`)).toContain(
      screen.text,
    );
    expect(await link.exit(stream)).toMatchObject({ code: 3, cause: 0 });
    link.release(stream);
  });

  it("tells a resize by SIGWINCH and stty", async () => {
    const stream = await run("trap 'stty size' WINCH; echo ready; while :; do read x || :; done");
    const screen = new Screen(link, stream);
    await screen.shows("ready");
    link.resize(stream, 132, 50);
    await screen.shows("50 132");
    link.resize(stream, 0, 50);
    expect(readFail(await link.next(stream))).toEqual({ errno: errno.EINVAL, step: "resize" });
    link.release(stream);
  });

  it("loses no byte of a MiB pasted into a raw terminal and echoed back", async () => {
    const stream = await run("stty raw -echo; echo ready; exec head -c 1048576");
    const screen = new Screen(link, stream);
    await screen.shows("ready");
    const before = screen.bytes.length;
    const paste = Buffer.from(
      Array.from({ length: 1_048_576 }, (_, i) => (i * 7 + (i >> 8)) & 255),
    );
    screen.write(paste);
    await screen.until(() => screen.ended);
    expect(screen.gaps).toBe(0);
    expect(screen.bytes.subarray(-paste.length).equals(paste)).toBe(true);
    expect(before).toBeLessThan(20);
    link.release(stream);
  });

  it("waits for its reader, and keeps the last bytes for the next one", async () => {
    const stream = await run("seq 200000; echo done", { window: 65_536 });
    const slow = new Screen(link, stream, { paused: true });
    await slow.until(() => slow.position >= 65_536);
    await link.ping();
    expect(slow.position).toBe(65_536);
    link.release(slow.stream);
    expect(await link.exit(stream)).toMatchObject({ code: 0 });
    const late = new Screen(link, stream);
    await late.until(() => late.ended);
    expect(late.bytes.length).toBe(65_536);
    expect(late.text.endsWith("200000\r\ndone\r\n")).toBe(true);
    link.release(stream);
  });

  it("keeps everything until it is first read, up to its ring", async () => {
    const stream = await run("seq 100000", { window: 65_536 });
    await link.ping();
    const screen = new Screen(link, stream);
    await screen.until(() => screen.ended);
    expect(screen.gaps).toBe(0);
    expect(screen.text.startsWith("1\r\n2\r\n3\r\n")).toBe(true);
    expect(screen.text.endsWith("100000\r\n")).toBe(true);
    link.release(stream);
  });

  it("is held up by the fastest reader only; the other one sees a gap", async () => {
    const stream = await run("seq 100000", { window: 65_536 });
    const stalled = new Screen(link, stream, { paused: true });
    const reading = new Screen(link, stream);
    await reading.until(() => reading.ended);
    expect(reading.gaps).toBe(0);
    expect(reading.text.endsWith("100000\r\n")).toBe(true);
    link.ack(stalled.stream, 1, stalled.position);
    await stalled.until(() => stalled.gaps > 0);
    link.release(stream);
  });

  it("hangs up at its release", async () => {
    const stream = await run("echo $$; exec sleep 1000");
    const screen = new Screen(link, stream);
    await screen.shows(/\d+\r\n/);
    const pid = Number(screen.text);
    link.release(stream);
    await screen.until(() => screen.failure !== undefined);
    expect(screen.failure).toEqual({ errno: errno.ESRCH, step: "released" });
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  it("goes on over another link byte for byte, input and output", async () => {
    const own = await startAgent();
    try {
      const first = own.link;
      const stream = first.exec(["/bin/sh", "-c", "stty raw -echo; echo ready; exec cat"], {
        terminal: [80, 24],
      });
      await first.expect(Kind.started, stream);
      const reader = new Screen(first, stream, { stdinWindow: 0, id: "reader" });
      const writer = new Screen(first, stream, { window: 0, id: "writer" });
      await reader.shows("ready");
      writer.write("before ");
      await reader.shows("before ");
      first.send(Kind.dataIn, writer.stream, 7, Buffer.from("unseen "));
      const { link: second } = await hello(own, { epoch: 6 });
      const entries = new Map<string, number>();
      for (const id of [stream, reader.stream, writer.stream])
        second.listen(id, (frame) =>
          entries.set(frame.payload.subarray(46).toString(), frame.payload.readUInt8(1)),
        );
      second.send(Kind.table, 0);
      await second.expect(Kind.end, 0);
      expect(Object.fromEntries(entries)).toEqual({ [`p${stream}`]: 4, reader: 8, writer: 9 });
      reader.follow(second);
      second.unlisten(writer.stream);
      second.resume(writer.stream, 0, 0);
      await second.expect(Kind.resumed, writer.stream);
      const { offset } = await second.expect(Kind.inAck, writer.stream);
      expect([7, 14]).toContain(offset);
      // Some of it may have come over the first link, which is closed by now.
      second.resume(reader.stream, reader.position, 0);
      second.send(Kind.dataIn, writer.stream, 7, Buffer.from("unseen after"));
      await reader.shows("after");
      expect(reader.text.slice(reader.text.indexOf("before"))).toBe("before unseen after");
      expect(reader.gaps).toBe(0);
      second.close();
    } finally {
      await own[Symbol.asyncDispose]();
    }
  });

  it("refuses nonsense and goes on", async () => {
    for (const terminal of [
      [0, 24],
      [80, 0],
      [80, 65_536],
    ] as const) {
      const stream = link.exec(["/bin/true"], { terminal });
      expect(readFail(await link.next(stream)).errno).toBe(errno.EINVAL);
    }
    const both = link.exec(["/bin/true"], { terminal: [80, 24], stdin: true });
    expect(readFail(await link.next(both)).errno).toBe(errno.EINVAL);
    const pipe = link.exec(["/bin/sleep", "60"], {});
    await link.expect(Kind.started, pipe);
    expect(readFail(await link.next(link.attach(pipe))).errno).toBe(errno.ENOTTY);
    expect(readFail(await link.next(link.attach(link.stream()))).errno).toBe(errno.ESRCH);
    link.resize(pipe, 80, 24);
    expect(readFail(await link.next(pipe)).errno).toBe(errno.ENOTTY);
    const stream = await run("exec sleep 60");
    for (const [options, number] of [
      [{ from: 99 }, errno.ERANGE],
      [{ window: 1 }, errno.EINVAL],
      [{ window: 1_048_577 }, errno.EINVAL],
      [{ stdinWindow: 1_048_577 }, errno.EINVAL],
    ] as const)
      expect(readFail(await link.next(link.attach(stream, options)))).toEqual({
        errno: number,
        step: "attach",
      });
    const reader = link.attach(stream, { stdinWindow: 0 });
    await link.expect(Kind.attached, reader);
    link.send(Kind.dataIn, reader, 0, Buffer.from("x"));
    expect(readFail(await link.next(reader))).toEqual({ errno: errno.EINVAL, step: "stdin" });
    for (const id of [stream, pipe]) link.signal(id, 9);
    expect(readExit(await link.expect(Kind.exit, stream))).toMatchObject({ cause: 1, code: 9 });
    link.release(stream);
    link.release(pipe);
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
