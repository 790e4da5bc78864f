import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type Agent, canRunAgent, startAgent } from "./agent-harness.ts";
import { hello } from "./agent-hello.ts";
import { readFail, type AgentLink } from "./agent-link.ts";
import { type Frame, Kind, u16, u32 } from "./frame-codec.ts";

const WINDOW = 65_536;
const windows = Buffer.concat([u32(WINDOW), u32(WINDOW)]);

/** A stream's bytes, acknowledged as they come, until its END or FAIL. */
class Bytes {
  readonly pieces: Buffer[] = [];
  taken = 0;
  readonly ended = Promise.withResolvers<Frame>();
  readonly #link: AgentLink;
  readonly #stream: number;
  #wake: () => void = () => {};

  constructor(link: AgentLink, stream: number) {
    this.#link = link;
    this.#stream = stream;
    link.listen(stream, (frame) => this.#receive(frame));
  }

  /** Sends within the window. */
  async send(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(at + 16_384, this.taken + WINDOW, bytes.length);
      if (end > at) this.#link.send(Kind.dataIn, this.#stream, at, bytes.subarray(at, end));
      // oxlint-disable-next-line no-await-in-loop
      else await new Promise<void>((resolve) => (this.#wake = resolve));
      at = end;
    }
  }

  #receive(frame: Frame): void {
    if (frame.kind === Kind.end || frame.kind === Kind.fail) this.ended.resolve(frame);
    if (frame.kind === Kind.inAck) this.taken = frame.offset;
    if (frame.kind === Kind.out) {
      this.pieces.push(frame.payload);
      this.#link.ack(this.#stream, 1, frame.offset + frame.payload.length);
    }
    this.#wake();
  }
}

/** A program of the VM that listens. */
async function program(onSocket: (socket: Socket) => void, host = "127.0.0.1"): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    onSocket(socket);
  });
  server.listen(0, host);
  await once(server, "listening");
  return server;
}

/** However it came about. */
async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise((resolve) => socket.on("close", resolve));
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it has no port");
  return address.port;
}

function dial(link: AgentLink, port: number, path = ""): number {
  const stream = link.stream();
  link.send(Kind.connect, stream, 0, Buffer.concat([windows, u16(port), Buffer.from(path)]));
  return stream;
}

async function listen(link: AgentLink, port: number, path = ""): Promise<[number, number]> {
  const stream = link.stream();
  link.send(Kind.listen, stream, 0, Buffer.concat([u16(port), Buffer.from(path)]));
  const { payload } = await link.expect(Kind.listening, stream);
  return [stream, payload.readUInt16LE(0)];
}

async function take(link: AgentLink, door: number): Promise<number> {
  const { payload } = await link.expect(Kind.incoming, door);
  const stream = link.stream();
  link.send(Kind.take, stream, 0, Buffer.concat([payload, windows]));
  return stream;
}

describe.runIf(canRunAgent)("connections", () => {
  let agent: Agent;
  beforeAll(async () => {
    agent = await startAgent();
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    const { stderr } = await agent.exited;
    if (stderr !== "") throw new Error(stderr);
  });

  it("carries bytes both ways, and each end by itself", async () => {
    const { link } = agent;
    using server = Object.assign(await program((socket) => socket.pipe(socket)), {
      [Symbol.dispose]: () => void server.close(),
    });
    const stream = dial(link, portOf(server));
    await link.expect(Kind.connected, stream);
    const bytes = new Bytes(link, stream);
    const sent = Buffer.alloc(2_000_000, "0123456789abcde");
    await bytes.send(sent);
    link.send(Kind.eofIn, stream, sent.length);
    const end = await bytes.ended.promise;
    expect(end).toMatchObject({ kind: Kind.end, offset: sent.length });
    expect(Buffer.concat(bytes.pieces).equals(sent)).toBe(true);
    link.release(stream);
    await link.ping();
  });

  it("sends no more than the window, and takes no more", async () => {
    const { link } = agent;
    const { promise, resolve } = Promise.withResolvers<Socket>();
    const server = await program(resolve);
    const stream = dial(link, portOf(server));
    await link.expect(Kind.connected, stream);
    const socket = await promise;
    socket.write(Buffer.alloc(1_000_000));
    let got = 0;
    while (got < WINDOW) got += (await link.expect(Kind.out, stream)).payload.length; // oxlint-disable-line no-await-in-loop
    await link.ping();
    expect(got).toBe(WINDOW);
    link.send(Kind.dataIn, stream, 5, Buffer.alloc(1));
    expect(readFail(await link.next(stream))).toEqual({ errno: 34, step: "stdin" });
    await closed(socket);
    server.close();
  });

  it("finds a program at ::1 alone, and none where none listens", async () => {
    const { link } = agent;
    const server = await program((socket) => socket.end("six"), "::1");
    const port = portOf(server);
    const stream = dial(link, port);
    await link.expect(Kind.connected, stream);
    expect((await link.expect(Kind.out, stream)).payload.toString()).toBe("six");
    link.release(stream);
    server.close();
    await once(server, "close");
    const refused = dial(link, port);
    expect(readFail(await link.next(refused))).toEqual({ errno: 111, step: "connect" });
  });

  it("resets a program's connection that is released before its end", async () => {
    const { link } = agent;
    const { promise, resolve } = Promise.withResolvers<Socket>();
    const server = await program(resolve);
    const stream = dial(link, portOf(server));
    await link.expect(Kind.connected, stream);
    const failed = once(await promise, "error");
    link.release(stream);
    expect(await failed).toMatchObject([{ code: "ECONNRESET" }]);
    server.close();
  });

  it("connects to a unix socket, and refuses what is no place", async () => {
    const { link } = agent;
    const folder = await mkdtemp(join(tmpdir(), "vmd-unix-"));
    const path = join(folder, "s");
    const server = createServer((socket) => socket.end("unix"));
    server.listen(path);
    await once(server, "listening");
    const stream = dial(link, 0, path);
    await link.expect(Kind.connected, stream);
    expect((await link.expect(Kind.out, stream)).payload.toString()).toBe("unix");
    link.release(stream);
    for (const [port, place] of [
      [0, ""],
      [0, "s"],
      [0, `/${"x".repeat(108)}`],
      [80, "/x"],
    ] as const) {
      const wrong = dial(link, port, place);
      // oxlint-disable-next-line no-await-in-loop
      expect(readFail(await link.next(wrong))).toEqual({ errno: 22, step: "connect" });
    }
    server.close();
    await rm(folder, { recursive: true });
  });

  it("hands what comes to a door to the sidecar, and resets what it refuses", async () => {
    const { link } = agent;
    const [door, port] = await listen(link, 0);
    for (const host of ["127.0.0.1", "::1"]) {
      const socket = connect(port, host);
      socket.end("hello");
      const stream = await take(link, door); // oxlint-disable-line no-await-in-loop
      const out = await link.expect(Kind.out, stream); // oxlint-disable-line no-await-in-loop
      expect(out.payload.toString()).toBe("hello");
      await link.expect(Kind.end, stream); // oxlint-disable-line no-await-in-loop
      link.send(Kind.dataIn, stream, 0, Buffer.from("bye"));
      link.send(Kind.eofIn, stream, 3);
      const said: unknown[] = await once(socket, "data"); // oxlint-disable-line no-await-in-loop
      expect(String(said[0])).toBe("bye");
      link.release(stream);
    }
    const refused = connect(port, "127.0.0.1");
    const failed = once(refused, "error");
    const { payload } = await link.expect(Kind.incoming, door);
    link.send(Kind.refuse, 0, 0, payload);
    expect(await failed).toMatchObject([{ code: "ECONNRESET" }]);
    link.send(Kind.take, 9_999_999, 0, Buffer.concat([payload, windows]));
    expect(readFail(await link.next(9_999_999))).toEqual({ errno: 3, step: "take" });
    const second = link.stream();
    link.send(Kind.listen, second, 0, u16(port));
    expect(readFail(await link.next(second))).toEqual({ errno: 98, step: "listen" });
    link.release(door);
    await link.ping();
    await expect(once(connect(port, "127.0.0.1"), "connect")).rejects.toMatchObject({
      code: "ECONNREFUSED",
    });
  });

  it("has doors at other addresses of loopback, each its own, and at no others", async () => {
    const { link } = agent;
    const addressed = (port: number, address: readonly number[]): number => {
      const stream = link.stream();
      link.send(Kind.listen, stream, 0, Buffer.concat([u16(port), Buffer.from(address)]));
      return stream;
    };
    const [door, port] = await listen(link, 0);
    link.release(door);
    const doors = [addressed(port, [127, 70, 0, 1]), addressed(port, [127, 70, 0, 2])];
    for (const [at, each] of doors.entries()) {
      // oxlint-disable-next-line no-await-in-loop
      await link.expect(Kind.listening, each);
      const socket = connect(port, `127.70.0.${at + 1}`).on("error", () => {});
      const stream = await take(link, each); // oxlint-disable-line no-await-in-loop
      socket.end();
      await link.expect(Kind.end, stream); // oxlint-disable-line no-await-in-loop
      link.release(stream);
    }
    await expect(once(connect(port, "127.0.0.1"), "connect")).rejects.toMatchObject({
      code: "ECONNREFUSED",
    });
    for (const wrong of [
      addressed(port, [127, 0, 0, 1]),
      addressed(port, [10, 0, 0, 1]),
      addressed(port, [127, 70, 0]),
      addressed(0, [127, 70, 0, 3]),
    ])
      // oxlint-disable-next-line no-await-in-loop
      expect(readFail(await link.next(wrong))).toEqual({ errno: 22, step: "listen" });
    for (const each of doors) link.release(each);
  });

  it("has doors at names of one directory only", async () => {
    const { link, folder } = agent;
    const [door] = await listen(link, 0, "/run/agentos/tools");
    const socket = connect(join(folder, "tools"));
    const stream = await take(link, door);
    socket.end();
    await link.expect(Kind.end, stream);
    link.release(stream);
    link.release(door);
    for (const path of [
      "/tmp/x",
      "/run/agentos/",
      "/run/agentos/../x",
      "/run/agentos/.x",
      `/run/agentos/${"x".repeat(65)}`,
    ]) {
      const wrong = link.stream();
      link.send(Kind.listen, wrong, 0, Buffer.concat([u16(0), Buffer.from(path)]));
      // oxlint-disable-next-line no-await-in-loop
      expect(readFail(await link.next(wrong))).toEqual({ errno: 22, step: "listen" });
    }
  });

  it("lets no more than 64 wait at a door, and the others in the kernel", async () => {
    const { link } = agent;
    const [door, port] = await listen(link, 0);
    const sockets = Array.from({ length: 80 }, () => connect(port, "127.0.0.1"));
    for (const socket of sockets) socket.on("error", () => {});
    const tokens: Buffer[] = [];
    // oxlint-disable-next-line no-await-in-loop
    while (tokens.length < 64) tokens.push((await link.expect(Kind.incoming, door)).payload);
    await link.ping();
    for (const token of tokens) link.send(Kind.refuse, 0, 0, token);
    // oxlint-disable-next-line no-await-in-loop
    while (tokens.length < 80) tokens.push((await link.expect(Kind.incoming, door)).payload);
    link.release(door);
    expect(tokens).toHaveLength(80);
    await Promise.all(sockets.map(closed));
  });
});

describe.runIf(canRunAgent)("doors and the next sidecar", () => {
  it("closes doors at other addresses, which lead to what is no longer there", async () => {
    await using agent = await startAgent();
    const [door, port] = await listen(agent.link, 0);
    agent.link.release(door);
    const other = agent.link.stream();
    const place = Buffer.concat([u16(port), Buffer.from([127, 70, 0, 9])]);
    agent.link.send(Kind.listen, other, 0, place);
    await agent.link.expect(Kind.listening, other);
    agent.link.close();
    const { link } = await hello(agent);
    await expect(once(connect(port, "127.70.0.9"), "connect")).rejects.toMatchObject({
      code: "ECONNREFUSED",
    });
    link.close();
  });

  it("keeps doors, and lets who comes meanwhile wait; connections end", async () => {
    await using agent = await startAgent();
    const [door, port] = await listen(agent.link, 0);
    const before = connect(port, "127.0.0.1");
    await take(agent.link, door);
    const cut = once(before, "error");
    agent.link.close();
    expect(await cut).toMatchObject([{ code: "ECONNRESET" }]);
    const meanwhile = connect(port, "127.0.0.1");
    await once(meanwhile, "connect");
    meanwhile.write("patience");
    const { link } = await hello(agent);
    const [again, same] = await listen(link, port);
    expect(same).toBe(port);
    const stream = await take(link, again);
    expect((await link.expect(Kind.out, stream)).payload.toString()).toBe("patience");
    meanwhile.on("error", () => {});
    link.close();
  });
});
