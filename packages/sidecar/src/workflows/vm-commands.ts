import type {
  Clock,
  SessionVm,
  WorkflowCommand,
  WorkflowCommandResult,
  WorkflowCommands,
} from "@agentos/core";
import { isAgentOsError } from "@agentos/protocol";
import { runProcess } from "@agentos/sessions";

/** What of a command's stdout and stderr is kept, each. */
const KEPT_BYTES = 1024 * 1024;
/** Of one that has no time-out: its step's, or the run's end, is what ends it. */
const LONGEST_MS = 2 ** 31 - 1;

/** Commands of a workflow, in the VM that its run holds. */
export class VmCommands implements WorkflowCommands {
  readonly #vm: SessionVm;
  readonly #clock: Clock;

  constructor(vm: SessionVm, clock: Clock) {
    this.#vm = vm;
    this.#clock = clock;
  }

  async run(
    { command, cwd, timeoutMs = LONGEST_MS }: WorkflowCommand,
    { signal }: { signal: AbortSignal },
  ): Promise<WorkflowCommandResult> {
    const argv = typeof command === "string" ? ["/bin/sh", "-c", command] : command;
    const kept = { stdout: new KeptBytes(), stderr: new KeptBytes() };
    const exit = await runProcess(this.#vm, this.#clock, {
      argv,
      cwd,
      env: {},
      timeoutMs,
      take: (bytes, channel) => kept[channel].take(bytes),
      signal,
    });
    return {
      exitCode: exit.exitCode,
      signal: exit.signal,
      timedOut: exit.timedOut,
      stdout: kept.stdout.text,
      stderr: kept.stderr.text,
      truncated: kept.stdout.isCut || kept.stderr.isCut,
    };
  }

  async exists(path: string): Promise<boolean> {
    try {
      await this.#vm.handle().files.stat(path);
      return true;
    } catch (error) {
      const isMissing = isAgentOsError(error, "FILE_SYSTEM") && MISSING.has(error.details.errno);
      if (isMissing) return false;
      throw error;
    }
  }
}

const MISSING: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR"]);

/** The beginning of what a program wrote. */
class KeptBytes {
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  isCut = false;

  take(bytes: Uint8Array): void {
    const room = KEPT_BYTES - this.#bytes;
    if (bytes.byteLength > room) this.isCut = true;
    // A copy: the frame's own bytes may be used again.
    if (room > 0) this.#chunks.push(bytes.slice(0, room));
    this.#bytes += bytes.byteLength;
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}
