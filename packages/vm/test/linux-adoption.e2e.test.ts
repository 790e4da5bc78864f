import { createHash, randomInt } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { FRAME_HEADER_BYTES } from "@agentos/protocol";
import { execa } from "execa";
import { describe, expect, test } from "vitest";

import { isHostProcess } from "./host-processes.ts";
import { vmRequest } from "./linux-vm-fixture.ts";

const isRoot = process.geteuid?.() === 0;
const ORDINARY_ID = 54_321;
const LINES = 3000;
const PROCESSES = 5;
/** `npm run test:chaos` does more. */
const ROUNDS = process.env["AGENTOS_LONG_FORMS"] === undefined ? 5 : 20;

interface Earlier {
  readonly record: Record<string, unknown> & { pid: number; socketPath: string };
  /** What each process wrote on both channels, as far as it came. */
  readonly texts: [string, string][];
}

interface Result {
  readonly code?: string;
  readonly processes: Record<
    string,
    { state: string; exit: { exitCode: number | null }; text: [string, string] }
  >;
  readonly use: { processes: number; diskBytes: number };
  readonly left: string[];
}

/** Two lives of a sidecar over one run folder, as one user. */
class TwoLives implements AsyncDisposable {
  readonly request = vmRequest();
  readonly #folder: string;
  readonly #user: readonly string[];
  readonly #graceMs: number;

  private constructor(folder: string, user: readonly string[], graceMs: number) {
    this.#folder = folder;
    this.#user = user;
    this.#graceMs = graceMs;
  }

  static async begin(ordinary = false, graceMs = 30_000): Promise<TwoLives> {
    const folder = await mkdtemp(join(tmpdir(), "adopt-"));
    await mkdir(join(folder, "run"), { mode: 0o700 });
    await chmod(folder, 0o755);
    const id = String(ORDINARY_ID);
    if (ordinary) await chown(join(folder, "run"), ORDINARY_ID, ORDINARY_ID);
    const user = ordinary ? ["setpriv", "--reuid", id, "--regid", id, "--clear-groups"] : [];
    return new TwoLives(folder, user, graceMs);
  }

  /** Starts the programs, and kills their host after so many milliseconds. */
  async earlier(programs: readonly (readonly string[])[], killAfterMs: number): Promise<Earlier> {
    const { request } = this;
    const running = this.#run("adopted-host.mjs", { request, programs });
    const chunks: Buffer[] = [];
    const begun = Promise.withResolvers<void>();
    running.stdout.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      begun.resolve();
    });
    await Promise.race([begun.promise, running]);
    await sleep(killAfterMs);
    running.kill("SIGKILL");
    await running;
    return readEarlier(Buffer.concat(chunks), programs.length);
  }

  async next(earlier: Earlier, change: Record<string, unknown> = {}): Promise<Result> {
    const continued = earlier.texts.map(([stdout, stderr]) => ({
      received: { stdout: stdout.length, stderr: stderr.length },
    }));
    const { request } = this;
    const { record } = earlier;
    const task = { request, record, continued, key: 7, ...change };
    const running = this.#run("adopting-host.mjs", task);
    let text = "";
    running.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
    const { stderr, exitCode } = await running;
    if (exitCode !== 0) throw new Error(`the next life failed: ${stderr}`);
    return JSON.parse(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true });
  }

  #run(script: string, task: object) {
    const driverOptions = {
      runDirectory: join(this.#folder, "run"),
      adoptGraceMs: this.#graceMs,
    };
    const path = fileURLToPath(new URL(script, import.meta.url));
    const argument = JSON.stringify({ driverOptions, ...task });
    const [command, ...args] = [...this.#user, process.execPath, path, argument] as const;
    return execa(command, args, { reject: false, buffer: { stdout: false }, stdin: "ignore" });
  }
}

/** The record's line and the frames after it; a last one that is cut counts as far as it goes not at all. */
function readEarlier(bytes: Buffer, processes: number): Earlier {
  const lineEnd = bytes.indexOf("\n");
  if (lineEnd < 0) throw new Error("the earlier life said nothing");
  const record = JSON.parse(bytes.toString("utf8", 0, lineEnd));
  const texts = Array.from({ length: processes }, (): [string, string] => ["", ""]);
  for (let at = lineEnd + 1; bytes.length - at >= FRAME_HEADER_BYTES;) {
    const length = bytes.readUInt32LE(at);
    const end = at + FRAME_HEADER_BYTES + length;
    if (end > bytes.length) break;
    const channel = bytes.readUInt8(at + 4) === 0x92 ? 0 : 1;
    const text = texts[bytes.readUInt32LE(at + 5)];
    if (text === undefined) throw new Error("a frame of no process");
    expect(Number(bytes.readBigUInt64LE(at + 9))).toBe(text[channel].length);
    text[channel] += bytes.toString("latin1", at + FRAME_HEADER_BYTES, end);
    at = end;
  }
  return { record, texts };
}

/** Writes known bytes on both channels, some at once and some later, and ends with its number. */
const program = (at: number): string[] => [
  "sh",
  "-c",
  `i=0; while [ $i -lt 30 ]; do seq $((i * 100)) $((i * 100 + 99)); echo e$i >&2; sleep 0.0${at}; i=$((i + 1)); done; exit ${at + 3}`,
];
const digest = (text: string): string => createHash("sha256").update(text).digest("hex");
const lines = Array.from({ length: LINES }, (_, at) => `${at}\n`).join("");
const errors = Array.from({ length: 30 }, (_, at) => `e${at}\n`).join("");

/** What the two lives saw together, and what they must have seen. */
async function killAndAdopt(ordinary: boolean): Promise<{ seen: object; expected: object }> {
  await using lives = await TwoLives.begin(ordinary);
  const programs = Array.from({ length: PROCESSES }, (_, at) => program(at));
  const earlier = await lives.earlier(programs, randomInt(20, 700));
  const { code, left, processes } = await lives.next(earlier);
  // Killed before it had started them all, it left fewer.
  const ids = Object.keys(processes ?? {}).toSorted();
  const seen = ids.map((id) => {
    const [stdout, stderr] = earlier.texts[Number(id.slice(1))] ?? ["", ""];
    const { exit, text } = processes[id] ?? { exit: undefined, text: ["", ""] };
    return [id, digest(stdout + text[0]), stderr + text[1], exit?.exitCode];
  });
  const expected = ids.map((id) => [id, digest(lines), errors, Number(id.slice(1)) + 3]);
  return {
    seen: { code, left, isAny: ids.length > 0, seen },
    expected: { code: undefined, left: [], isAny: true, seen: expected },
  };
}

describe("a VM whose sidecar was killed", () => {
  test(
    "is adopted with every byte once and true exit codes, again and again",
    { timeout: 180_000 },
    async () => {
      // One after the other: two would only change when each is killed.
      for (let round = 0; round < ROUNDS; round++) {
        // oxlint-disable-next-line no-await-in-loop
        const { seen, expected } = await killAndAdopt(false);
        expect(seen).toEqual(expected);
      }
    },
  );

  test.runIf(isRoot)(
    "is adopted by an ordinary user's sidecar as well",
    { timeout: 120_000 },
    async () => {
      for (let round = 0; round < Math.ceil(ROUNDS / 4); round++) {
        // oxlint-disable-next-line no-await-in-loop
        const { seen, expected } = await killAndAdopt(true);
        expect(seen).toEqual(expected);
      }
    },
  );

  test("takes stdin on where it had stopped", async () => {
    await using lives = await TwoLives.begin();
    const earlier = await lives.earlier([["cat"]], 100);
    const stdin = { from: 0, text: "a line\n".repeat(5000) };
    const received = { stdout: 0, stderr: 0 };
    const result = await lives.next(earlier, { continued: [{ received, stdin }] });
    expect(result.processes["p0"]?.text[0]).toBe(stdin.text);
    expect(result.processes["p0"]?.exit).toMatchObject({ exitCode: 0 });
  });

  test("[bad.epoch] refuses another key and an older epoch, and lives on", async () => {
    await using lives = await TwoLives.begin();
    const earlier = await lives.earlier([["sh", "-c", "sleep 0.2; echo here"]], 50);
    expect((await lives.next(earlier, { key: 8 })).code).toBe("UNAUTHENTICATED");
    expect((await lives.next(earlier, { epoch: 0 })).code).toBe("UNAUTHENTICATED");
    expect((await lives.next(earlier)).processes["p0"]?.text[0]).toBe("here\n");
  });

  test("that ended since is VM_ENDED, and nothing of it is left", async () => {
    await using lives = await TwoLives.begin();
    const earlier = await lives.earlier([["sleep", "1000"]], 50);
    process.kill(earlier.record.pid, "SIGKILL");
    expect(await lives.next(earlier)).toMatchObject({ code: "VM_ENDED", left: [] });
    expect(existsSync(earlier.record.socketPath)).toBe(false);
  });

  test("ends by itself when nobody comes in time", async () => {
    await using lives = await TwoLives.begin(false, 300);
    const earlier = await lives.earlier([["sleep", "1000"]], 50);
    await expect.poll(() => isHostProcess(earlier.record.pid), { timeout: 10_000 }).toBe(false);
    await expect.poll(() => existsSync(earlier.record.socketPath), { timeout: 10_000 }).toBe(false);
    expect(await lives.next(earlier)).toMatchObject({ code: "VM_ENDED", left: [] });
  });
});
