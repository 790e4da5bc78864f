import { randomUUID } from "node:crypto";

import type { Clock, SessionVm, VmProcess } from "@agentos/core";
import {
  AgentOsError,
  ByteReader,
  DEFAULTS,
  isAgentOsError,
  readBuiltinFailure,
  type TakeBytes,
  WatchReader,
  type WatchRecord,
} from "@agentos/protocol";

import { SESSION_BOUNDS } from "./session-bounds.ts";

/** Of what the VM's agent says of a failure. */
const MOST_WORDS = 8_192;
/** A path that is not there, or a part of it. */
const MISSING: readonly (string | undefined)[] = ["ENOENT", "ENOTDIR"];

/** idle -> watching -> idle, as often as what is watched goes away; stopped at last. */
type WatchState = "idle" | "watching" | "stopped";

/** What happens at a path of a VM and everywhere below it, from the first `next()` on. */
export class FileWatch {
  readonly #vm: SessionVm;
  readonly #clock: Clock;
  readonly #path: string;
  #state: WatchState = "idle";
  #process: VmProcess | undefined;
  #changed = new Set<string>();
  #wasBlind = false;
  #hasFailed = false;
  #wake: () => void = () => undefined;

  constructor(vm: SessionVm, clock: Clock, path: string) {
    this.#vm = vm;
    this.#clock = clock;
    this.#path = path;
  }

  /**
   * The paths that came, went or changed since it was last asked; the watched one alone where more happened than could
   * be seen. Waits for the first. None once it is stopped. Rejects where it can't watch, and may be asked again.
   */
  async next(): Promise<string[]> {
    while (this.#changed.size === 0 && this.#state !== "stopped") {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      if (this.#state === "idle") await this.#begin();
      // oxlint-disable-next-line no-await-in-loop -- As above.
      else await this.#woken();
    }
    await this.#pause(SESSION_BOUNDS.fileSettleMs);
    const paths = this.#isStopped ? [] : [...this.#changed].toSorted();
    this.#changed = new Set();
    return paths;
  }

  /** Harmless to repeat. */
  stop(): void {
    this.#state = "stopped";
    this.#process?.close();
    this.#wake();
  }

  get #isStopped(): boolean {
    return this.#state === "stopped";
  }

  /** Resolves once it watches, or there is nothing to watch. What is there when it first looks is no change. */
  async #begin(): Promise<void> {
    if (this.#hasFailed) await this.#pause(SESSION_BOUNDS.fileRetryMs);
    if (this.#isStopped) return;
    this.#hasFailed = true;
    try {
      await this.#start();
    } catch (error) {
      if (!isAgentOsError(error, "FILE_SYSTEM") || !MISSING.includes(error.errno)) throw error;
      this.#wasBlind = true;
      return;
    }
    this.#hasFailed = false;
    if (this.#wasBlind) this.#note(this.#path);
    this.#wasBlind = false;
  }

  async #start(): Promise<void> {
    await this.#vm.running;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const over = (error: unknown): void => {
      reject(error);
      this.#end();
    };
    const records = new WatchReader();
    let words = "";
    const take = (bytes: Uint8Array, channel: "stdout" | "stderr"): void => {
      if (channel === "stderr")
        words = `${words}${Buffer.from(bytes).toString()}`.slice(0, MOST_WORDS);
      else for (const record of records.push(bytes)) this.#take(record, resolve);
    };
    const reader = new ByteReader(guarded(take, over), "process");
    const process = await this.#vm.handle().startProcess(watchRequest(this.#path), reader);
    this.#process = process;
    reader.attach(process);
    if (this.#isStopped) process.close();
    ended(process, reader).then(
      () => over(readBuiltinFailure(words, this.#path)?.error ?? notWatching(this.#path)),
      over,
    );
    await promise;
  }

  /** What happens from now on until it watches again is not seen. */
  #end(): void {
    this.#process?.close();
    this.#hasFailed = true;
    this.#wasBlind = true;
    if (!this.#isStopped) this.#state = "idle";
    this.#wake();
  }

  #take({ kind, path, from }: WatchRecord, begun: () => void): void {
    if (kind === "ready") {
      if (!this.#isStopped) this.#state = "watching";
      return begun();
    }
    this.#note(kind === "overflow" ? this.#path : this.#full(path));
    if (kind === "renamed") this.#note(this.#full(from));
  }

  #note(path: string): void {
    if (path === this.#path || this.#changed.size >= SESSION_BOUNDS.changedPaths)
      this.#changed = new Set([this.#path]);
    else if (!this.#changed.has(this.#path)) this.#changed.add(path);
    this.#wake();
  }

  #full(path: string): string {
    if (path === "") return this.#path;
    return this.#path.endsWith("/") ? `${this.#path}${path}` : `${this.#path}/${path}`;
  }

  async #woken(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
  }

  /** Nothing but the time and `stop()` ends it. */
  async #pause(ms: number): Promise<void> {
    const until = this.#clock.now() + ms;
    while (!this.#isStopped && this.#clock.now() < until) {
      const cancel = this.#clock.after(until - this.#clock.now(), () => this.#wake());
      // oxlint-disable-next-line no-await-in-loop -- Changes wake it, too.
      await this.#woken();
      cancel();
    }
  }
}

function watchRequest(
  path: string,
): Parameters<ReturnType<SessionVm["handle"]>["startProcess"]>[0] {
  return {
    processId: `watch-${randomUUID()}`,
    argv: ["watch", path, "recursive"],
    cwd: "/",
    env: {},
    stdin: "none",
    output: "piped",
    windowBytes: DEFAULTS.streamWindowBytes,
    builtin: true,
  };
}

/** A VM that says nonsense ends its watch, and nothing else. */
function guarded(take: TakeBytes, failed: (error: unknown) => void): TakeBytes {
  return (bytes, channel) => {
    try {
      take(bytes, channel);
    } catch (error) {
      failed(error);
    }
  };
}

async function ended(process: VmProcess, reader: ByteReader): Promise<void> {
  const { stdoutBytes, stderrBytes } = await process.exited;
  reader.until({ stdout: stdoutBytes, stderr: stderrBytes });
  await reader.ended;
}

function notWatching(path: string): AgentOsError<"INTERNAL"> {
  return new AgentOsError("INTERNAL", `the watch of ${path} ended`, {});
}
