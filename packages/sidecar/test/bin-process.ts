import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

import { StartReply, type StartRequest } from "@agentos/protocol";

import { frameOf } from "./start-request.ts";

const MAIN = fileURLToPath(new URL("../dist/bin/agentos-sidecar.js", import.meta.url));

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** The bin, as a client starts it. Killed at the end of its test where it still runs. */
export class BinProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly exit: Promise<Exit>;
  #out = Buffer.alloc(0);
  #stderr = "";

  constructor(options: { uid?: number; main?: string } = {}) {
    const { uid, main = MAIN } = options;
    const identity = uid === undefined ? {} : { uid, gid: uid };
    const child = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", "--max-semi-space-size=1", main],
      {
        cwd: "/",
        env: { PATH: process.env["PATH"] ?? "" },
        stdio: ["pipe", "pipe", "pipe"],
        ...identity,
      },
    );
    this.child = child;
    this.stdin = child.stdin;
    this.stdout = child.stdout;
    // It may be gone before it has read everything.
    child.stdin.on("error", () => undefined);
    child.stdout.on("data", (chunk: Buffer) => (this.#out = Buffer.concat([this.#out, chunk])));
    child.stderr.on("data", (chunk: Buffer) => (this.#stderr += chunk.toString()));
    this.exit = new Promise((resolve) =>
      child.once("close", (code, signal) => resolve({ code, signal })),
    );
  }

  static start(request: StartRequest, options: { uid?: number; main?: string } = {}): BinProcess {
    const bin = new BinProcess(options);
    bin.stdin.write(frameOf(JSON.stringify(request)));
    return bin;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Everything on stdout, which is exactly one framed answer. */
  async reply(): Promise<StartReply> {
    while (!this.#isWhole()) {
      // oxlint-disable-next-line no-await-in-loop -- The next piece is what this waits for.
      const more = await Promise.race([
        this.exit,
        new Promise<"data">((resolve) => this.stdout.once("data", () => resolve("data"))),
      ]);
      if (more !== "data" && !this.#isWhole())
        throw new Error(`it ended without an answer: ${JSON.stringify(more)} ${this.#stderr}`);
    }
    const length = this.#out.readUInt32LE();
    return StartReply.parse(JSON.parse(this.#out.toString("utf8", 4, 4 + length)));
  }

  async ready(): Promise<Extract<StartReply, { kind: "ready" }>> {
    const reply = await this.reply();
    if (reply.kind !== "ready") throw new Error(`expected ready, got ${JSON.stringify(reply)}`);
    return reply;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exit;
  }

  #isWhole(): boolean {
    return this.#out.byteLength >= 4 && this.#out.byteLength >= 4 + this.#out.readUInt32LE();
  }
}

/** A directory of the test's own. */
export async function temporaryDirectory(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "sc-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
