import { once } from "node:events";
import { unlink } from "node:fs/promises";

import { execa, type ResultPromise } from "execa";

import { SpawnerWatch } from "./spawner-watch.ts";
import { unavailable } from "./vmd-binary.ts";

const START_MS = 5_000;
const END_MS = 5_000;
const KEPT_STDERR_LINES = 20;

const PROCESS_OPTIONS = {
  // The VMs' init would show what it inherited.
  env: {},
  extendEnv: false,
  cwd: "/",
  // Out of the terminal's process group: an interrupt there is the sidecar's to handle.
  detached: true,
  cleanup: false,
  buffer: false,
  reject: false,
  stdin: "pipe",
  stdout: "pipe",
  stderr: "pipe",
} as const;

type SpawnerProcess = ResultPromise<typeof PROCESS_OPTIONS>;

/** The resident vmd that starts VMs. */
export class Spawner implements AsyncDisposable {
  readonly socketPath: string;
  /** Tells of the ends of its VMs; closed once this spawner can start none any more. */
  readonly watch: SpawnerWatch;
  readonly #process: SpawnerProcess;

  private constructor(running: SpawnerProcess, watch: SpawnerWatch) {
    this.socketPath = watch.socketPath;
    this.#process = running;
    this.watch = watch;
  }

  /** Starts one on `socketPath`. Rejects with `DRIVER_UNAVAILABLE`, and nothing is left. */
  static async start(vmd: string, socketPath: string): Promise<Spawner> {
    const running = execa(vmd, ["spawner", socketPath], PROCESS_OPTIONS);
    const stderr = keepLines(running);
    // A write to a spawner that has died is no news.
    running.stdin.on("error", () => {});
    try {
      await ready(running);
      const watch = await SpawnerWatch.connect(socketPath, AbortSignal.timeout(START_MS));
      return new Spawner(running, watch);
    } catch (cause) {
      running.kill("SIGKILL");
      await running;
      const said = stderr.at(-1);
      const reason = said === undefined ? "" : `: ${said}`;
      throw unavailable(`its spawner did not start${reason}`, undefined, cause);
    }
  }

  /** The process, for whoever looks for what is left. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  get isRunning(): boolean {
    return this.watch.isOpen;
  }

  /** Lets it go on for VMs that another sidecar has taken over: it ends with the last of them. */
  release(): void {
    this.watch.close();
    const { stdin, stdout, stderr } = this.#process;
    for (const stream of [stdin, stdout, stderr]) stream.destroy();
    this.#process.nodeChildProcess.unref();
  }

  /** Ends the spawner; VMs still alive end with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.watch.close();
    this.#process.stdin.end();
    const timer = setTimeout(() => this.#process.kill("SIGTERM"), END_MS);
    const lastTimer = setTimeout(() => this.#process.kill("SIGKILL"), 2 * END_MS);
    await this.#process;
    clearTimeout(timer);
    clearTimeout(lastTimer);
    // The spawner removes it, unless it died.
    await unlink(this.socketPath).catch(() => {});
  }
}

/** Resolves with the line `ready`. */
async function ready(running: SpawnerProcess): Promise<void> {
  const signal = AbortSignal.timeout(START_MS);
  const line = once(running.stdout, "data", { signal });
  const result = await Promise.race([line, running]);
  const said = Array.isArray(result) ? String(result[0]) : "";
  if (said !== "ready\n") throw new Error(`expected "ready", got ${JSON.stringify(said)}`);
  // Nothing more comes, and an unread pipe would fill.
  running.stdout.resume();
}

/** The last lines of stderr, oldest first. */
function keepLines(running: SpawnerProcess): string[] {
  const lines: string[] = [];
  running.stderr.on("data", (chunk: Buffer) => {
    lines.push(...chunk.toString().trim().split("\n"));
    lines.splice(0, Math.max(0, lines.length - KEPT_STDERR_LINES));
  });
  return lines;
}
