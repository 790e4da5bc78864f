import {
  CHANNEL,
  decodeFrame,
  FRAME_KIND,
  isAgentOsError,
  type ReachedLimit,
} from "@agentos/protocol";

import type { GuestExit } from "../guest-message.ts";
import type { FileTree } from "../tree/file-tree.ts";
import { treeError } from "../tree/tree-error.ts";
import type { Gate } from "./gate.ts";
import type { GuestProcessRequest } from "./guest-call.ts";
import { HeldOutput } from "./held-output.ts";
import { monotonic } from "./monotonic.ts";
import type { Pace } from "./pace.ts";
import type { Post } from "./post.ts";
import { MOST_STDIN_BYTES, ProcessInput } from "./process-input.ts";
import { assertProgram, programOf } from "./program.ts";
import { LastWords, LIMIT_EXIT_CODE } from "./script-limit.ts";
import type { Shell } from "./shell.ts";
import { ShellFiles, STDERR_PATH, STDOUT_PATH } from "./shell-files.ts";
import { SHELL_LIMITS } from "./shell-limits.ts";
import { streamed } from "./streamed-script.ts";

/** What the interpreter tells its embedder of a limit. */
const OTHERS_ADVICE = /, increase executionLimits\.\w+/g;
// Taken here: the interpreter blocks some globals while a script runs.
const readSignal = Atomics.load;
const afterAnswer = setImmediate;

export interface GuestProcessOptions {
  readonly request: GuestProcessRequest;
  readonly stream: number;
  readonly tree: FileTree;
  readonly gate: Gate;
  readonly pace: Pace;
  readonly shell: Shell;
  readonly post: Post;
  readonly signals: Int32Array;
  readonly onEnded: () => void;
}

/** A script that runs in the interpreter and looks like a process from outside. */
export class GuestProcess {
  readonly #options: GuestProcessOptions;
  readonly #stdin: ProcessInput;
  readonly #stdout: HeldOutput;
  readonly #stderr: HeldOutput;
  readonly #lastWords = new LastWords();
  readonly #abort = new AbortController();
  readonly #startedAt = monotonic();
  #exit: GuestExit | undefined;

  /** Throws what a kernel would refuse to start. */
  constructor(options: GuestProcessOptions) {
    const { request, stream, tree, post } = options;
    tree.getDirectory(request.cwd, "chdir");
    assertProgram(tree, request);
    const shared = { post, stream, windowBytes: request.windowBytes };
    this.#options = options;
    this.#stdin = new ProcessInput({ post, stream, mode: request.stdin });
    this.#stdout = new HeldOutput({ ...shared, kind: FRAME_KIND.out });
    this.#stderr = new HeldOutput({ ...shared, kind: FRAME_KIND.err });
  }

  /** Runs it to its end. Never rejects. */
  async run(): Promise<void> {
    try {
      const stdin = await this.#stdin.whole;
      if (this.#exit !== undefined) return;
      if (stdin === undefined) await this.#refuseStdin();
      else {
        const exitCode = await this.#interpret(stdin);
        this.#end(exitCode, this.#lastWords.limitAt(exitCode));
      }
    } catch (error) {
      await this.#complain(error);
      this.#end(1);
    }
  }

  receive(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame === undefined) return;
    const { kind, offset, payload } = frame;
    if (kind === FRAME_KIND.dataIn) this.#stdin.receive(offset, payload);
    if (kind === FRAME_KIND.eofIn) this.#stdin.receiveEnd(offset);
    if (kind !== FRAME_KIND.ack) return;
    const output = payload[0] === CHANNEL.stderr ? this.#stderr : this.#stdout;
    output.acknowledge(offset);
  }

  /** The signal is in the table. What still unwinds in the interpreter has no effect any more. */
  kill(): void {
    this.#abort.abort();
    this.#end(null);
  }

  /** Sends on from what the reader has; the end again, where it was told. */
  resume(received: { stdout: number; stderr: number }): void {
    const { stdout, stderr } = received;
    if (!this.#stdout.canResume(stdout) || !this.#stderr.canResume(stderr))
      throw treeError("ERANGE", "resume");
    // After the answer to this: the driver drops what comes before it.
    afterAnswer(() => {
      this.#stdin.acknowledge();
      this.#stdout.resume(stdout);
      this.#stderr.resume(stderr);
    });
  }

  /** Nobody asks for it any more; it runs on, and what it writes is dropped. */
  forget(): void {
    this.#stdout.forget();
    this.#stderr.forget();
  }

  async #interpret(stdin: Uint8Array): Promise<number> {
    const { request } = this.#options;
    const { script, args } = programOf(request.argv);
    const bash = this.#shell(script);
    const result = await bash.exec(script, {
      cwd: request.cwd,
      // With PWD given, nothing is awaited before the script is handed to the plugin.
      env: { PWD: request.cwd },
      rawScript: true,
      stdin: Buffer.from(stdin).toString("latin1"),
      stdinKind: "bytes",
      signal: this.#signal(),
      args: [...args],
    });
    // What the interpreter itself has to say, and all of a script that redirects its shell.
    await this.#write(this.#stdout, Buffer.from(result.stdout, encodingOf(result)));
    await this.#write(this.#stderr, Buffer.from(result.stderr.replaceAll(OTHERS_ADVICE, "")));
    return result.exitCode;
  }

  #shell(script: string): InstanceType<Shell["Bash"]> {
    const { request, tree, shell } = this.#options;
    const { pid, cwd, env, openFiles } = request;
    const fs = new ShellFiles({
      tree,
      turn: () => this.#turn(),
      output: {
        [STDOUT_PATH]: (bytes) => this.#write(this.#stdout, bytes),
        [STDERR_PATH]: (bytes) => this.#write(this.#stderr, bytes),
      },
    });
    const bash = new shell.Bash({
      fs,
      cwd,
      env: { ...env },
      executionLimits: { ...SHELL_LIMITS, maxFileDescriptors: openFiles },
      processInfo: { pid, ppid: 1, uid: 1000, gid: 1000 },
    });
    let isFirst = true;
    bash.registerTransformPlugin({
      name: "streamed-output",
      transform: ({ ast }) => {
        // Scripts that this one starts write to whoever reads them.
        const own = isFirst ? streamed(script, ast) : ast;
        isFirst = false;
        return { ast: own };
      },
    });
    return bash;
  }

  /** A signal that is also true in the middle of a loop, when no message can come. */
  #signal(): AbortSignal {
    const { signals, request } = this.#options;
    const { signal } = this.#abort;
    const isOver = (): boolean =>
      this.#exit !== undefined || readSignal(signals, request.slot) !== 0;
    Object.defineProperty(signal, "aborted", { get: isOver });
    return signal;
  }

  async #turn(): Promise<void> {
    const { gate, pace } = this.#options;
    if (gate.isClosed) await gate.pass();
    await pace.breathe();
    if (this.#exit !== undefined) throw new Error("the process has ended");
  }

  async #write(output: HeldOutput, bytes: Uint8Array): Promise<void> {
    await this.#turn();
    if (bytes.byteLength === 0) return;
    if (output === this.#stderr) this.#lastWords.note(bytes);
    await output.write(bytes);
  }

  /** An error that the interpreter has no words for: a full disk above all. */
  async #complain(error: unknown): Promise<void> {
    if (this.#exit !== undefined) return;
    const why = isAgentOsError(error) || error instanceof Error ? error.message : String(error);
    await this.#stderr.write(Buffer.from(`sh: ${why}\n`));
  }

  async #refuseStdin(): Promise<void> {
    const text = `agentos: stdin may be ${MOST_STDIN_BYTES} bytes long in a virtual VM\n`;
    await this.#stderr.write(Buffer.from(text));
    this.#end(LIMIT_EXIT_CODE, { name: "scriptInputBytes", value: MOST_STDIN_BYTES });
  }

  /** The end that was first counts. A signal in the table is the reason, whatever the interpreter made of it. */
  #end(exitCode: number | null, limit?: ReachedLimit): void {
    if (this.#exit !== undefined) return;
    const { signals, request, post, stream, onEnded } = this.#options;
    const sent = readSignal(signals, request.slot);
    const signal = sent === 0 ? null : sent;
    this.#exit = {
      exitCode: signal === null ? exitCode : null,
      signal,
      ...(signal === null && limit !== undefined && { limit }),
      stdoutBytes: this.#stdout.total,
      stderrBytes: this.#stderr.total,
      durationMs: monotonic() - this.#startedAt,
    };
    this.#stdin.abandon();
    this.#stdout.stop();
    this.#stderr.stop();
    post.send({ kind: "exit", stream, exit: this.#exit });
    onEnded();
  }
}

function encodingOf(result: { stdoutKind?: string; stdoutEncoding?: string }): "latin1" | "utf8" {
  return result.stdoutKind === "bytes" || result.stdoutEncoding === "binary" ? "latin1" : "utf8";
}
