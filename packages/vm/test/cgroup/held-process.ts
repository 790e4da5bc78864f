import { on, once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { execa, type Options, type ResultPromise } from "execa";

const OPTIONS = {
  reject: false,
  stdin: "pipe",
  timeout: 30_000,
  forceKillAfterDelay: 100,
} as const satisfies Options;

export interface HeldEnd {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that a test puts into cgroups before its first instruction of interest. */
export class HeldProcess implements AsyncDisposable {
  readonly #running: ResultPromise<typeof OPTIONS>;

  private constructor(running: ResultPromise<typeof OPTIONS>) {
    this.#running = running;
  }

  /** Starts a shell that waits, moves it into `directories`, and lets it run `script`. */
  static async start(directories: readonly string[], script: string): Promise<HeldProcess> {
    const running = execa("sh", ["-c", `echo up; read go; ${script}`], OPTIONS);
    const held = new HeldProcess(running);
    await once(running.stdout, "data", { signal: AbortSignal.timeout(10_000) });
    for (const directory of directories) {
      // One after the other, as vmd's launcher does.
      // oxlint-disable-next-line no-await-in-loop
      await writeFile(join(directory, "cgroup.procs"), String(held.pid));
    }
    running.stdin.write("go\n");
    return held;
  }

  get pid(): number {
    return this.#running.pid ?? 0;
  }

  /** A line for its stdin. */
  say(line: string): void {
    this.#running.stdin.write(`${line}\n`);
  }

  /** Waits until it has written this line. */
  async line(text: string): Promise<void> {
    const signal = AbortSignal.timeout(10_000);
    for await (const [chunk] of on(this.#running.stdout, "data", { signal })) {
      if (String(chunk).includes(`${text}\n`)) return;
    }
  }

  kill(): void {
    this.#running.kill("SIGKILL");
  }

  async end(): Promise<HeldEnd> {
    const { exitCode, signal, stdout, stderr } = await this.#running;
    return { exitCode, signal, stdout: stdout.replace(/^up\n?/, ""), stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#running.kill("SIGKILL");
    await this.#running;
  }
}
