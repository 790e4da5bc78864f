import { execa, type ResultPromise } from "execa";

const OPTIONS = {
  cwd: "/",
  buffer: false,
  reject: false,
  stdin: "pipe",
  stdout: "ignore",
  stderr: "ignore",
} as const;

/** A process that does nothing until it is disposed of. */
export class WaitingProcess implements AsyncDisposable {
  readonly pid: number;
  readonly #running: ResultPromise<typeof OPTIONS>;

  private constructor(pid: number, running: ResultPromise<typeof OPTIONS>) {
    this.pid = pid;
    this.#running = running;
  }

  /** Rejects where none can be started. */
  static async start(): Promise<WaitingProcess> {
    // Where there is no cat there is still this Node, only slower.
    return (
      (await waiting("cat", [])) ??
      (await waiting(process.execPath, ["-e", "process.stdin.resume()"])) ??
      none()
    );

    async function waiting(
      file: string,
      argv: readonly string[],
    ): Promise<WaitingProcess | undefined> {
      const running = execa(file, argv, OPTIONS);
      if (running.pid !== undefined) return new WaitingProcess(running.pid, running);
      await running;
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#running.kill("SIGKILL");
    await this.#running;
  }
}

function none(): never {
  throw new Error("expected to start a process for trying cgroups, got none");
}
