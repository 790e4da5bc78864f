import { randomUUID } from "node:crypto";

import type { FrameSink, SessionVm, VmAttachment, VmHandle, VmProcess } from "@agentos/core";
import {
  AgentOsError,
  ByteWriter,
  CHANNEL,
  decodeFrame,
  DEFAULTS,
  encodeAck,
  FRAME_KIND,
  type TerminalSize,
} from "@agentos/protocol";

import { endAgentTree, SESSION_VARIABLE } from "../agent-process/agent-tree.ts";
import { endProcess } from "../agent-process/end-process.ts";

/** Between two acknowledgements: a program that floods its terminal must not fill the sidecar's time. */
const PACE_MS = 15;
/** What every terminal emulator of today understands. */
const TERM = "xterm-256color";

export interface PtyProcessOptions {
  readonly vm: SessionVm;
  readonly sessionId: string;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly size: TerminalSize;
  readonly shutdownMs: number;
  /** What it writes, as it comes. `done` asks for more. */
  readonly onBytes: (bytes: Uint8Array, done: () => void) => void;
}

/** A program on a terminal in a VM. Disposing ends it and all that it started, as `AgentProcess` does. */
export class PtyProcess implements AsyncDisposable {
  readonly #options: PtyProcessOptions;
  readonly #process: VmProcess;
  readonly #input = new ByteWriter();
  readonly #exited: Promise<AgentOsError<"AGENT_EXITED">>;
  #ending: Promise<void> | undefined;
  #reader: VmAttachment | undefined;
  #writer: VmAttachment | undefined;

  private constructor(options: PtyProcessOptions, process: VmProcess) {
    this.#options = options;
    this.#process = process;
    this.#exited = this.#end(process);
  }

  /** What an earlier life of the session left running is ended first. Rejects with `UNSUPPORTED` where the VM has no terminals. */
  static async start(
    options: PtyProcessOptions,
    { signal }: { signal: AbortSignal },
  ): Promise<PtyProcess> {
    const { vm, sessionId, argv, cwd, env, size, shutdownMs } = options;
    const handle = vm.handle();
    terminalsOf(handle);
    await endAgentTree(handle, sessionId, { withinMs: shutdownMs });
    signal.throwIfAborted();
    const processId = newId();
    const process = await handle.startProcess(
      {
        processId,
        argv,
        cwd,
        env: { ...vm.environment, TERM, ...env, [SESSION_VARIABLE]: sessionId },
        stdin: "none",
        output: "logged",
        windowBytes: DEFAULTS.streamWindowBytes,
        terminal: { ...size, scrollbackBytes: DEFAULTS.scrollbackBytes },
      },
      { frame: () => undefined, closed: () => undefined },
    );
    const program = new PtyProcess(options, process);
    try {
      await program.#attach(handle, processId);
      signal.throwIfAborted();
      return program;
    } catch (error) {
      await program[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Resolves, never rejects, once the program is gone. */
  get exited(): Promise<AgentOsError<"AGENT_EXITED">> {
    return this.#exited;
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Resolves once the terminal has it, or is gone. Rejects with `POOL_EXHAUSTED` where the program reads nothing of far too much. */
  async type(text: string): Promise<void> {
    this.#input.write(Buffer.from(text));
    await this.#input.drained;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { vm, sessionId, shutdownMs } = this.#options;
    this.#ending ??= endProcess({
      vm,
      sessionId,
      process: this.#process,
      shutdownMs,
      gone: this.#exited,
      ask: () => this.#process.signal("SIGHUP", "session"),
    }).finally(() => {
      this.#reader?.close();
      this.#writer?.close();
    });
    await this.#ending;
  }

  async #attach(handle: VmHandle, processId: string): Promise<void> {
    const terminals = terminalsOf(handle);
    const reader = new PacedReader(this.#options.onBytes);
    const writer: FrameSink = {
      frame: (bytes) => void this.#input.frame(bytes),
      closed: () => this.#input.close(),
    };
    const read = { processId, attachmentId: newId(), mode: "read", from: 0 } as const;
    this.#reader = (await terminals.attach(read, reader)).attachment;
    reader.attach(this.#reader);
    const write = { processId, attachmentId: newId(), mode: "write", from: 0 } as const;
    this.#writer = (await terminals.attach(write, writer)).attachment;
    this.#input.attach(this.#writer);
  }

  async #end(process: VmProcess): Promise<AgentOsError<"AGENT_EXITED">> {
    const exit = await process.exited.catch(() => undefined);
    this.#input.close();
    const { exitCode = null, signal = null } = exit ?? {};
    const how = signal ?? (exitCode === null ? "its VM is gone" : `exit code ${exitCode}`);
    const message = `the program ${this.#options.argv[0] ?? ""} is gone: ${how}`;
    const reached = exit?.limit === undefined ? {} : { limit: exit.limit.limit };
    return new AgentOsError("AGENT_EXITED", message, { exitCode, signal, stderr: [], ...reached });
  }
}

/** Takes a terminal's output no faster than it is shown. */
class PacedReader implements FrameSink {
  readonly #take: PtyProcessOptions["onBytes"];
  readonly #waiting: Uint8Array[] = [];
  #target: VmAttachment | undefined;
  #received = 0;

  constructor(take: PtyProcessOptions["onBytes"]) {
    this.#take = take;
  }

  attach(target: VmAttachment): void {
    this.#target = target;
    for (const frame of this.#waiting.splice(0)) this.frame(frame);
  }

  frame(bytes: Uint8Array): void {
    if (this.#target === undefined) {
      this.#waiting.push(bytes);
      return;
    }
    const frame = decodeFrame(bytes);
    if (frame?.kind === FRAME_KIND.end) this.#acknowledge(frame.offset);
    if (frame?.kind !== FRAME_KIND.out) return;
    const { offset, payload } = frame;
    const fresh = payload.subarray(Math.max(0, this.#received - offset));
    this.#received = Math.max(this.#received, offset + payload.byteLength);
    const received = this.#received;
    this.#take(Uint8Array.from(fresh), () => {
      setTimeout(() => this.#acknowledge(received), PACE_MS);
    });
  }

  /** The program's end tells why. */
  closed(): void {}

  #acknowledge(offset: number): void {
    this.#target?.send(encodeAck(0, CHANNEL.stdout, offset));
  }
}

function newId(): string {
  return `agent-${randomUUID()}`;
}

/** Throws `UNSUPPORTED`. */
function terminalsOf(handle: VmHandle): NonNullable<VmHandle["terminals"]> {
  if (handle.terminals !== undefined) return handle.terminals;
  const what = "terminals";
  const message = `a VM of ${handle.isolation} has no ${what}`;
  const instead = 'a VM of the driver "linux"';
  throw new AgentOsError("UNSUPPORTED", message, { what, instead });
}
