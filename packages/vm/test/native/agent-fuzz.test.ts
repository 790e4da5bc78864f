import { expect, it } from "vitest";

import { createHash, randomInt } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  buildStaticCat,
  canRunAgent,
  NotLockedIn,
  startAgent,
  type Agent,
} from "./agent-harness.ts";
import { connectTo, hello } from "./agent-hello.ts";
import { encodeFrame, field, Kind, u16, u32, u64 } from "./frame-codec.ts";

/** `npm run test:chaos` does more. */
const cases = process.env["AGENTOS_LONG_FORMS"] === undefined ? 1500 : 20_000;
const seed = Number(process.env["AGENTOS_FUZZ_SEED"] ?? randomInt(2 ** 31));

/** Numbers that repeat with the seed. */
class Dice {
  #counter = 0;
  #bytes = Buffer.alloc(0);
  #at = 0;

  below(limit: number): number {
    if (this.#at + 4 > this.#bytes.length) {
      this.#bytes = createHash("sha512")
        .update(`${seed}:${this.#counter++}`)
        .digest();
      this.#at = 0;
    }
    this.#at += 4;
    return this.#bytes.readUInt32LE(this.#at - 4) % limit;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
}

const dice = new Dice();
const kinds = Object.values(Kind).filter((kind) => kind < 0x80 && kind !== Kind.shutdown);
const numbers = [0n, 1n, 5n, 4096n, 65_536n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 63n, 2n ** 64n - 1n];
const words = [
  "/cat",
  "cat",
  "/",
  "/dir",
  "/dir/a/b",
  "/cat/x",
  "PATH=/:",
  "A=",
  "",
  "x",
  "/dir/../cat",
  "id-1",
  "id-2",
];

function fileFields(): Buffer {
  const fields = [field(60, Buffer.of(dice.below(18))), field(61, dice.pick(words))];
  if (dice.below(3) === 0) fields.push(field(62, dice.pick(words)));
  if (dice.below(2) === 0) fields.push(field(66, u32(dice.below(64))));
  if (dice.below(3) === 0) fields.push(field(64, u64(dice.pick(numbers))));
  if (dice.below(3) === 0) fields.push(field(65, u64(dice.pick(numbers))));
  if (dice.below(3) === 0) fields.push(field(45, u32(dice.pick([0, 4096, 65_536, 2 ** 21]))));
  return Buffer.concat(fields);
}

function execFields(): Buffer {
  const fields = [
    field(40, `id-${dice.below(1e6)}`),
    field(41, dice.pick(["/cat", "cat", "/none"])),
    field(42, "PATH=/:"),
  ];
  if (dice.below(2) === 0) fields.push(field(44, u32(dice.below(4))));
  if (dice.below(3) === 0) fields.push(field(46, u32(dice.below(30))));
  if (dice.below(3) === 0) fields.push(field(43, dice.pick(words)));
  if (dice.below(3) === 0)
    fields.push(field(45, u32(dice.pick([0, 4096, 65_536]))), field(47, u32(4096)));
  return Buffer.concat(fields);
}

/** Ports of a loopback that is the agent's own. */
function port(): Buffer {
  return u16(dice.pick([0, 80, 2000, 2001, 2002]));
}

function networkFields(kind: number): Buffer {
  const windows = [u32(dice.pick([4096, 65_536])), u32(dice.pick([0, 4096, 65_536]))];
  const token = u32(dice.below(20));
  if (kind === Kind.refuse) return token;
  if (kind === Kind.take) return Buffer.concat([token, ...windows]);
  const path = Buffer.from(dice.pick(["", "", "/cat", "/run/agentos/x", "/run/agentos/../x"]));
  const place = Buffer.concat([port(), path]);
  return kind === Kind.listen ? place : Buffer.concat([...windows, place]);
}

const networkKinds: readonly number[] = [Kind.connect, Kind.listen, Kind.take, Kind.refuse];

function payloadOf(kind: number): Buffer {
  if (networkKinds.includes(kind)) return networkFields(kind);
  if (kind === Kind.exec) return execFields();
  if (kind === Kind.file) return fileFields();
  if (kind === Kind.dataIn) return dice.bytes(dice.below(6000));
  if (kind === Kind.ack) return Buffer.of(1 + dice.below(2));
  if (kind === Kind.signal) return Buffer.concat([u32(dice.below(70)), Buffer.of(dice.below(3))]);
  if (kind === Kind.resume) return Buffer.concat([u64(dice.below(5000)), u64(0)]);
  if (kind === Kind.readLog)
    return Buffer.concat([u32(1 + dice.below(12)), u64(dice.below(100)), u64(0), u32(4096)]);
  return Buffer.alloc(0);
}

function mutate(bytes: Buffer): Buffer {
  const how = dice.below(6);
  if (how === 0 && bytes.length > 0) return bytes.subarray(0, dice.below(bytes.length));
  if (how === 1) return Buffer.concat([bytes, dice.bytes(dice.below(40))]);
  const copy = Buffer.from(bytes);
  for (let i = dice.below(4); i > 0 && copy.length > 0; i--)
    copy[dice.below(copy.length)] = dice.below(256);
  return copy;
}

function frame(): Buffer {
  const kind = dice.pick(kinds);
  let payload = payloadOf(kind);
  if (dice.below(8) === 0) payload = mutate(payload);
  const bytes = encodeFrame(kind, dice.below(14), 0, payload);
  if (dice.below(3) === 0) bytes.writeBigUInt64LE(dice.pick(numbers), 9);
  if (dice.below(60) === 0) return mutate(bytes);
  return bytes;
}

async function attack(agent: Agent): Promise<void> {
  const raw = dice.below(10) === 0;
  const link = raw ? await connectTo(agent) : (await hello(agent)).link;
  const bytes = raw
    ? dice.bytes(dice.below(200))
    : Buffer.concat(Array.from({ length: dice.below(30) }, frame));
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + dice.below(dice.pick([20, 500, 100_000]));
    link.socket.write(bytes.subarray(at, end));
    at = end;
    if (dice.below(8) === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  if (dice.below(2) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  link.close();
}

it.runIf(canRunAgent && process.getuid?.() === 0)(
  `survives ${cases} malformed conversations (seed ${seed})`,
  async ({ skip }) => {
    const root = await mkdtemp(join(tmpdir(), "vmd-fuzz-"));
    await chmod(root, 0o755);
    await buildStaticCat(join(root, "cat"));
    await mkdir(join(root, "dir"), { mode: 0o777 });
    await chmod(join(root, "dir"), 0o777);
    let agent = await startAgent({ root }).catch((error: unknown) => {
      if (error instanceof NotLockedIn) skip(error.message);
      throw error;
    });
    try {
      for (let i = 0; i < cases; i++) {
        try {
          await attack(agent);
        } catch (error) {
          // A mutation may have made a SHUTDOWN; anything else is a crash.
          const { code, stderr } = await agent.exited;
          if (code !== 0 || stderr !== "")
            throw new Error(`code ${code}: ${stderr}`, { cause: error });
          await agent[Symbol.asyncDispose]();
          agent = await startAgent({ root });
        }
      }
      const { link } = await hello(agent);
      await expect(link.ping()).resolves.toBeUndefined();
    } finally {
      await agent[Symbol.asyncDispose]();
      await rm(root, { recursive: true, force: true });
    }
  },
  180_000,
);
