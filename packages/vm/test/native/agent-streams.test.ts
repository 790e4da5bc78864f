import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

import { canRunAgent, startAgent, type Agent } from "./agent-harness.ts";
import { readFail } from "./agent-link.ts";
import { Collector, runCommand } from "./agent-run.ts";
import { Kind, u32, u64 } from "./frame-codec.ts";

const { errno, signals } = constants;
const sha = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const counter = (count: number) =>
  Buffer.from(Array.from({ length: count }, (_, i) => `${i + 1}\n`).join(""));

describe.runIf(canRunAgent)("streams of the agent", () => {
  let agent: Agent;
  beforeAll(async () => {
    agent = await startAgent();
  }, 180_000);
  afterAll(() => agent[Symbol.asyncDispose]());

  it("carries 100 MiB unharmed", async () => {
    const hash = createHash("sha256");
    const { link } = agent;
    const command = "yes 0123456789abcdefghijklmnopqrstuvwxyz | head -c 104857600";
    const stream = link.exec(["sh", "-c", command], { window: 1_048_576 });
    const collector = new Collector(link, stream);
    collector.onFrame = (frame) => frame.kind === Kind.out && hash.update(frame.payload);
    const { totals } = await collector.result;
    expect(totals).toEqual([104_857_600, 0]);
    const line = Buffer.from("0123456789abcdefghijklmnopqrstuvwxyz\n");
    const expected = createHash("sha256");
    for (let left = 104_857_600; left > 0; left -= 37 * 4096) {
      const block = Buffer.alloc(Math.min(left, 37 * 4096), line);
      expected.update(block);
    }
    expect(hash.digest("hex")).toBe(expected.digest("hex"));
    link.release(stream);
    link.unlisten(stream);
  }, 60_000);

  it("holds a window for a stalled reader, exactly, while others run", async () => {
    const { link } = agent;
    const stream = link.exec(
      ["sh", "-c", "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2"],
      { window: 65_536 },
    );
    let received = 0;
    let last = 0;
    link.listen(stream, (frame) => {
      if (frame.kind === Kind.out) received += frame.payload.length;
      last = frame.kind;
    });
    await sleep(300);
    expect(received).toBe(65_536);
    for (let i = 0; i < 20; i++) expect((await runCommand(link, ["echo", "x"])).code).toBe(0);
    expect(received).toBe(65_536);
    link.ack(stream, 1, 10_000);
    await sleep(50);
    expect(received).toBe(75_536);
    link.ack(stream, 1, 75_537);
    await expect.poll(() => last).toBe(Kind.fail);
    link.signal(stream, signals.SIGKILL, 2);
    link.release(stream);
    link.unlisten(stream);
  });

  it("reports the exit without credit, and sends the rest as it comes", async () => {
    const { link } = agent;
    const stream = link.exec(["head", "-c", "60000", "/dev/zero"], { window: 4096 });
    await link.expect(Kind.started, stream);
    expect((await link.expect(Kind.out, stream)).payload.length).toBe(4096);
    expect(await link.exit(stream)).toMatchObject({
      open: 0,
      totals: [60_000, 0],
    });
    let received = 4096;
    while (received < 60_000) {
      link.ack(stream, 1, received);
      received += (await link.expect(Kind.out, stream)).payload.length;
    }
    expect(received).toBe(60_000);
    link.release(stream);
  });

  it("feeds 10 MiB through cat", async () => {
    const input = randomBytes(10 * 1024 * 1024);
    const { stdout, code } = await runCommand(agent.link, ["cat"], { input });
    expect(code).toBe(0);
    expect(sha(stdout)).toBe(sha(input));
  });

  it("ends stdin where told", async () => {
    expect((await runCommand(agent.link, ["cat"], { input: Buffer.alloc(0) })).code).toBe(0);
    const { stdout } = await runCommand(agent.link, ["wc", "-c"], { input: Buffer.alloc(100_001) });
    expect(stdout.toString().trim()).toBe("100001");
  });

  it("gives /dev/null without a pipe, and refuses stdin for it", async () => {
    const { link } = agent;
    const stream = link.exec(["sh", "-c", "readlink /proc/self/fd/0; sleep 0.1"]);
    await link.expect(Kind.started, stream);
    link.send(Kind.dataIn, stream, 0, Buffer.from("x"));
    const frames = [await link.next(stream), await link.next(stream)];
    expect(new Set(frames.map((frame) => frame.kind))).toEqual(new Set([Kind.fail, Kind.out]));
    await link.exit(stream);
    link.release(stream);
  });

  it("drops and acknowledges what nobody reads any more", async () => {
    const input = randomBytes(3 * 1024 * 1024);
    const { stdout, code } = await runCommand(
      agent.link,
      ["sh", "-c", "head -c 5; exec <&-; sleep 0.2; exit 3"],
      { input },
    );
    expect(code).toBe(3);
    expect(stdout.equals(input.subarray(0, 5))).toBe(true);
    expect((await runCommand(agent.link, ["echo", "alive"])).code).toBe(0);
  });

  it("takes a stdin window and no more, cuts repeats, refuses gaps", async () => {
    const { link } = agent;
    const stream = link.exec(["sh", "-c", "sleep 0.3; cat"], {
      stdin: true,
      stdinWindow: 8192,
      window: 1_048_576,
    });
    await link.expect(Kind.started, stream);
    const input = randomBytes(100_000);
    // The pipe takes 64 KiB at once, then the window fills.
    let taken = 0;
    for (let sent = 0; sent < 65_536; sent += 8192) {
      link.send(Kind.dataIn, stream, sent, input.subarray(sent, sent + 8192));
      taken = (await link.expect(Kind.inAck, stream)).offset;
    }
    expect(taken).toBe(65_536);
    link.send(Kind.dataIn, stream, 60_000, input.subarray(60_000, 73_728));
    link.send(Kind.dataIn, stream, 73_728, Buffer.from("!"));
    expect(readFail(await link.next(stream))).toEqual({ errno: errno.ERANGE, step: "stdin" });
    link.send(Kind.dataIn, stream, 80_000, Buffer.from("!"));
    expect(readFail(await link.next(stream)).errno).toBe(errno.ERANGE);
    link.send(Kind.eofIn, stream, 73_729);
    expect(readFail(await link.next(stream)).errno).toBe(errno.ERANGE);
    link.send(Kind.eofIn, stream, 73_728);
    const { stdout } = await new Collector(link, stream).result;
    expect(sha(stdout)).toBe(sha(input.subarray(0, 73_728)));
    link.release(stream);
    link.unlisten(stream);
  });

  it("lets no bulk stream starve another or control frames", async () => {
    const { link } = agent;
    const bulk = [1, 2, 3].map(() => link.exec(["cat", "/dev/zero"], { window: 1_048_576 }));
    const collectors = bulk.map((stream) => new Collector(link, stream));
    const amounts = () => collectors.map(({ received }) => received[0]);
    const total = () => amounts().reduce((sum, amount) => sum + amount, 0);
    // In bytes and not in time: a busy machine slows the answers and the streams alike.
    const passedBy: number[] = [];
    while (passedBy.length < 30 || Math.min(...amounts()) < 8 * 1_048_576) {
      const before = total();
      await link.ping();
      passedBy.push(total() - before);
    }
    expect((await runCommand(link, ["echo", "through"])).stdout.toString()).toBe("through\n");
    expect(Math.max(...passedBy)).toBeLessThan(16 * 1_048_576);
    for (const stream of bulk) {
      link.signal(stream, signals.SIGKILL);
      link.release(stream);
    }
  });

  it("keeps the last bytes of a logged process and never blocks it; two readers, a gap", async () => {
    const { link } = agent;
    const all = counter(200_000);
    const stream = link.exec(["sh", "-c", "seq 1 200000; echo warn >&2; sleep 0.5; echo end"], {
      logged: true,
      window: 65_536,
    });
    await link.expect(Kind.started, stream);
    await sleep(300);
    const read = (from: number, acks: boolean) => {
      const reader = link.stream();
      const pieces: Buffer[] = [];
      const state = {
        reader,
        first: -1,
        next: from,
        text: () => Buffer.concat(pieces),
        ends: 0,
        err: "",
      };
      link.listen(reader, ({ kind, offset, payload }) => {
        if (kind === Kind.end) state.ends++;
        if (kind === Kind.err) state.err += payload.toString();
        if (kind === Kind.err) link.ack(reader, 2, offset + payload.length);
        if (kind !== Kind.out) return;
        if (state.first < 0) state.first = offset;
        pieces.push(payload);
        state.next = offset + payload.length;
        if (acks) link.ack(reader, 1, state.next);
      });
      const payload = Buffer.concat([u32(stream), u64(from), u64(0), u32(8192)]);
      link.send(Kind.readLog, reader, 0, payload);
      return state;
    };
    const quick = read(0, true);
    const stalled = read(0, false);
    const exit = await link.exit(stream);
    expect(exit).toMatchObject({ code: 0, open: 0, totals: [all.length + 4, 5] });
    await expect.poll(() => quick.ends).toBe(2);
    expect(quick.first).toBe(all.length - 65_536);
    expect(quick.text().toString()).toBe(`${all.subarray(-65_536).toString()}end\n`);
    expect(quick.err).toBe("warn\n");
    expect(stalled.text().length).toBe(8192);
    const tooFar = link.stream();
    link.send(
      Kind.readLog,
      tooFar,
      0,
      Buffer.concat([u32(stream), u64(9_999_999), u64(0), u32(8192)]),
    );
    expect(readFail(await link.next(tooFar)).errno).toBe(errno.ERANGE);
    link.release(stream);
    const late = link.stream();
    link.send(Kind.readLog, late, 0, Buffer.concat([u32(stream), u64(0), u64(0), u32(8192)]));
    expect(readFail(await link.next(late)).errno).toBe(errno.ESRCH);
  });

  it("keeps the newest 64 exited logged processes", async () => {
    const { link } = agent;
    const streams: number[] = [];
    for (let i = 0; i < 70; i++) {
      const stream = link.exec(["echo", `${i}`], { logged: true });
      await link.expect(Kind.started, stream);
      await link.exit(stream);
      streams.push(stream);
    }
    const known: number[] = [];
    for (const stream of streams) link.listen(stream, (frame) => known.push(frame.stream));
    link.send(Kind.table, 0);
    await link.expect(Kind.end, 0);
    expect(known.toSorted((a, b) => a - b)).toEqual(streams.slice(6));
    for (const stream of streams) link.release(stream);
  });

  it("waits, and grows no further, while the other end does not read", async () => {
    const { link } = agent;
    const rss = async () =>
      Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${agent.pid}/status`, "utf8"))?.[1]);
    link.socket.pause();
    const before = await rss();
    const pings = Array.from({ length: 200_000 }, () => link.stream());
    for (const stream of pings) link.send(Kind.ping, stream);
    await sleep(300);
    expect((await rss()) - before).toBeLessThan(4096);
    link.socket.resume();
    await Promise.all(pings.map((stream) => link.expect(Kind.pong, stream)));
  });

  it("uses no CPU when idle, even after a burst", async () => {
    const ticks = async () => {
      const fields =
        (await readFile(`/proc/${agent.pid}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
      return Number(fields[11]) + Number(fields[12]);
    };
    const held = agent.link.exec(["sh", "-c", "head -c 500000 /dev/zero; sleep 100"], {
      window: 4096,
      timeoutMs: 60_000,
    });
    const switches = async () =>
      Number(
        /voluntary_ctxt_switches:\s+(\d+)/.exec(
          await readFile(`/proc/${agent.pid}/status`, "utf8"),
        )?.[1],
      );
    // When the burst is over, a busy machine decides: one that never rests is never through.
    const usedInOneSecond = async () => {
      const [before, woken] = [await ticks(), await switches()];
      await sleep(1000);
      return { ticks: (await ticks()) - before, woken: (await switches()) - woken >= 3 };
    };
    const idle = { ticks: 0, woken: false };
    await expect.poll(usedInOneSecond, { timeout: 15_000, interval: 0 }).toEqual(idle);
    agent.link.signal(held, signals.SIGKILL, 2);
    agent.link.release(held);
  });
});
