import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { createHash, randomInt } from "node:crypto";
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

import { canRunAgent, startAgent, type Agent } from "./agent-harness.ts";
import { connectTo, hello, type Hello } from "./agent-hello.ts";
import { readExit, readFail, type AgentLink, type Exit } from "./agent-link.ts";
import { encodeFrame, Kind, type Frame } from "./frame-codec.ts";

const { errno, signals } = constants;

interface Entry {
  readonly state: number;
  readonly out: [number, number];
  readonly err: [number, number];
  readonly stdin: number;
  readonly id: string;
}

async function tableOf(link: AgentLink, streams: number[]): Promise<Map<number, Entry>> {
  const entries = new Map<number, Entry>();
  const read = ({ kind, stream, payload }: Frame) => {
    if (kind !== Kind.tableEntry) return;
    const at = (offset: number) => Number(payload.readBigUInt64LE(offset));
    const [state, id] = [payload.readUInt8(0), payload.subarray(46).toString()];
    entries.set(stream, { state, out: [at(6), at(14)], err: [at(22), at(30)], stdin: at(38), id });
  };
  for (const stream of streams) link.listen(stream, read);
  link.send(Kind.table, 0);
  await link.expect(Kind.end, 0);
  for (const stream of streams) link.unlisten(stream);
  return entries;
}

const digestOfSeq = (count: number) =>
  createHash("sha256")
    .update(Array.from({ length: count }, (_, i) => `${i + 1}\n`).join(""))
    .digest("hex");

/** What one process has sent over all links. */
class Received {
  readonly #out = createHash("sha256");
  readonly #err = createHash("sha256");
  out = 0;
  err = 0;

  /** Takes that many bytes, or until the exit is known and everything came. */
  some(link: AgentLink, stream: number, bytes: number): Promise<Exit | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<Exit | undefined>();
    let left = bytes;
    let exit: Exit | undefined;
    link.listen(stream, (frame) => {
      if (left <= 0) return;
      if (frame.kind === Kind.fail) reject(new Error(JSON.stringify(readFail(frame))));
      if (frame.kind === Kind.exit) exit = readExit(frame);
      if (frame.kind === Kind.out || frame.kind === Kind.err) left -= this.#take(link, frame, left);
      if (this.out + this.err === exit?.totals.reduce((sum, total) => sum + total)) resolve(exit);
      if (left <= 0) resolve(undefined);
    });
    return promise;
  }

  #take(link: AgentLink, frame: Frame, most: number): number {
    const isOut = frame.kind === Kind.out;
    if (frame.offset !== (isOut ? this.out : this.err)) throw new Error(`offset ${frame.offset}`);
    const bytes = frame.payload.subarray(0, most);
    if (isOut) this.out += bytes.length;
    else this.err += bytes.length;
    (isOut ? this.#out : this.#err).update(bytes);
    // The rest is acknowledged by the resume.
    if (most === Infinity || randomInt(2) === 0) {
      link.ack(frame.stream, isOut ? 1 : 2, isOut ? this.out : this.err);
    }
    return bytes.length;
  }

  digests(): string[] {
    return [this.#out.digest("hex"), this.#err.digest("hex")];
  }
}

describe.runIf(canRunAgent)("adoption of the agent", () => {
  let agent: Agent;
  beforeAll(async () => {
    agent = await startAgent();
  }, 180_000);
  afterAll(() => agent[Symbol.asyncDispose]());

  it("refuses a wrong secret, an old epoch, another version, and keeps the link", async () => {
    const cases: [Hello, number, string][] = [
      [{ secret: 8 }, errno.EPERM, "secret"],
      [{ secret: 8, epoch: 1 }, errno.EPERM, "secret"],
      [{ epoch: 4 }, errno.ESTALE, "epoch"],
      [{ version: 77 }, errno.EPROTONOSUPPORT, "version"],
    ];
    for (const [how, number, step] of cases) {
      const { link, answer } = await hello(agent, how);
      expect(readFail(answer)).toEqual({ errno: number, step });
      await link.closed;
    }
    await agent.link.ping();
  });

  it("closes a connection that says something else", async () => {
    for (const bytes of [
      Buffer.from("GET / HTTP/1.1\r\n\r\n"),
      encodeFrame(Kind.ping, 1),
      encodeFrame(Kind.hello, 0),
    ]) {
      const link = await connectTo(agent);
      link.socket.write(bytes);
      await link.closed;
    }
    await expect(agent.link.ping()).resolves.toBeUndefined();
  });

  it("lets connections beyond the eighth wait, and serves them when others go", async () => {
    const idle = await Promise.all(Array.from({ length: 12 }, () => connectTo(agent)));
    const late = hello(agent, { epoch: 1 });
    await agent.link.ping();
    for (const link of idle) link.close();
    expect(readFail((await late).answer).errno).toBe(errno.ESTALE);
  });

  it("loses and doubles no byte when the link is cut at random places, 300 times", async () => {
    let { link } = agent;
    const command = "seq 1 400000; seq 1 5000 >&2; exit 9";
    const stream = link.exec(["sh", "-c", command], { window: 65_536, id: "long-lived" });
    const received = new Received();
    for (let cuts = 0; cuts < 300; cuts++) {
      await received.some(link, stream, randomInt(1, 12_000));
      link.close();
      const next = await hello(agent, { epoch: 5 + cuts });
      expect(next.answer.kind).toBe(Kind.ready);
      link = next.link;
      const entry = (await tableOf(link, [stream])).get(stream);
      expect(entry?.id).toBe("long-lived");
      expect(entry?.out[0]).toBeLessThanOrEqual(received.out);
      expect(entry?.out[1]).toBeGreaterThanOrEqual(received.out);
      link.resume(stream, received.out, received.err);
    }
    const exit = await received.some(link, stream, Infinity);
    expect(exit).toMatchObject({ code: 9, open: 0, totals: [received.out, received.err] });
    expect(received.digests()).toEqual([400_000, 5000].map(digestOfSeq));
    link.unlisten(stream);
    // What a later sidecar asks of a range that is gone, or not there yet, is refused.
    link.resume(stream, 0, 0);
    expect(readFail(await link.next(stream))).toEqual({ errno: errno.ERANGE, step: "resume" });
    link.resume(stream, received.out + 1, received.err);
    expect(readFail(await link.next(stream)).errno).toBe(errno.ERANGE);
    link.resume(stream, received.out, received.err);
    await link.expect(Kind.resumed, stream);
    expect(await link.exit(stream)).toMatchObject({ code: 9 });
    link.release(stream);
    expect((await tableOf(link, [stream])).size).toBe(0);
    link.close();
  }, 120_000);

  it("goes on with stdin where the last sidecar stopped", async () => {
    const before = await hello(agent, { epoch: 10_000 });
    const stream = before.link.exec(["cat"], { stdin: true, id: "stdin-kept" });
    await before.link.expect(Kind.started, stream);
    before.link.send(Kind.dataIn, stream, 0, Buffer.from("one "));
    await before.link.expect(Kind.inAck, stream);
    before.link.close();
    const { link } = await hello(agent, { epoch: 10_001 });
    expect((await tableOf(link, [stream])).get(stream)).toMatchObject({ state: 0, stdin: 4 });
    link.send(Kind.dataIn, stream, 2, Buffer.from("e two"));
    link.send(Kind.eofIn, stream, 7);
    link.resume(stream, 0, 0);
    let text = "";
    for (let frame = await link.next(stream); ; frame = await link.next(stream)) {
      if (frame.kind === Kind.out) text += frame.payload.toString();
      if (frame.kind === Kind.exit) break;
    }
    expect(text).toBe("one two");
    link.close();
  });

  it("replaces the old link", async () => {
    const older = await hello(agent, { epoch: 20_000 });
    const newer = await hello(agent, { epoch: 20_000 });
    await older.link.closed;
    await newer.link.ping();
    expect(readFail((await hello(agent, { epoch: 19_999 })).answer).errno).toBe(errno.ESTALE);
    newer.link.close();
  });
});

describe.runIf(canRunAgent)("the life of the agent", () => {
  it("ends without a link after the grace time, and not before", async () => {
    await using agent = await startAgent({ graceMs: 400 });
    agent.link.close();
    await sleep(250);
    const adopted = await hello(agent);
    await sleep(500);
    await adopted.link.ping();
    const closedAt = Date.now();
    adopted.link.close();
    expect(await agent.exited).toMatchObject({ code: 0, stderr: "" });
    expect(Date.now() - closedAt).toBeGreaterThan(350);
  });

  it("ends when told", async () => {
    await using agent = await startAgent();
    agent.link.send(Kind.shutdown, 0);
    expect(await agent.exited).toMatchObject({ code: 0, stderr: "" });
  });

  it("waits for CONFIG and runs nothing before it", async () => {
    await using agent = await startAgent({ configure: false });
    await agent.link.ping();
    const early = agent.link.exec(["/bin/true"]);
    expect(readFail(await agent.link.next(early))).toEqual({ errno: errno.EINVAL, step: "config" });
    agent.link.send(Kind.config, 0);
    const stream = agent.link.exec(["/bin/true"]);
    expect((await agent.link.next(0)).kind).toBe(Kind.ready);
    await agent.link.expect(Kind.started, stream);
    agent.link.send(Kind.config, 9);
    expect(readFail(await agent.link.next(9)).errno).toBe(errno.EALREADY);
  });

  it("ends with the reason when the sandbox can't be entered", async () => {
    await using agent = await startAgent({ configure: false });
    agent.link.send(Kind.config, 0, 0, Buffer.from("x"));
    expect(readFail(await agent.link.next(0))).toEqual({ errno: errno.EXDEV, step: "stub" });
    expect((await agent.exited).code).toBe(1);
  });

  it("survives a lack of descriptors with an error reply", async () => {
    await using agent = await startAgent();
    const { link } = agent;
    const streams: number[] = [];
    let failure;
    while (failure === undefined && streams.length < 1024) {
      const stream = link.exec(["sleep", "100"]);
      streams.push(stream);
      const frame = await link.next(stream);
      if (frame.kind === Kind.fail) failure = readFail(frame);
    }
    const full = link.exec(["sleep", "100"]);
    if (failure === undefined) failure = readFail(await link.next(full));
    expect([`${errno.EAGAIN} table`, `${errno.EMFILE} pipe`]).toContain(
      `${failure.errno} ${failure.step}`,
    );
    for (const stream of streams) link.signal(stream, signals.SIGKILL, 2);
    await link.ping();
    for (const stream of streams) link.release(stream);
    await sleep(200);
    const after = link.exec(["/bin/true"]);
    await link.expect(Kind.started, after);
  }, 60_000);
});
