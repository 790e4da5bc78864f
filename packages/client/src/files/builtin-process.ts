import { randomUUID } from "node:crypto";
import { text } from "node:stream/consumers";

import { AgentOsError, readBuiltinFailure } from "@agentos/protocol";

import type { Connection } from "../connection/connection.ts";
import type { VmAdmin } from "../leases/vm-admin.ts";
import type { ProcessEnd } from "../process/process-end.ts";
import {
  type AskForProcess,
  SpawnedProcess,
  type StartIdentity,
} from "../process/spawned-process.ts";
import type { SpawnOptions } from "../process/spawn.ts";
import { cancelled } from "../race-signal.ts";

/** The step that says that the stream itself was cut or wrong. */
const STREAM_STEP = "stream";

export interface BuiltinCall {
  readonly admin: VmAdmin;
  /** What the caller calls it. */
  readonly operation: string;
  readonly vmPath: string;
  readonly ask: (connection: Connection, identity: BuiltinIdentity) => Promise<{ pid: number }>;
  readonly windowBytes: number;
  readonly signal: AbortSignal | undefined;
  readonly stdin?: SpawnOptions["stdin"];
}

/** What each request for one has. */
interface BuiltinIdentity extends StartIdentity {
  readonly path: string;
  readonly windowBytes: number;
}

/** Something that the VM's agent does itself, as a process without a program. */
export class BuiltinProcess {
  readonly #call: BuiltinCall;
  readonly #process: SpawnedProcess;
  readonly #words: Promise<string>;

  private constructor(call: BuiltinCall, process: SpawnedProcess) {
    this.#call = call;
    this.#process = process;
    this.#words = text(process.stderr);
    this.#words.catch(() => undefined);
  }

  static async start(call: BuiltinCall): Promise<BuiltinProcess> {
    const { admin, operation, vmPath: path, ask, windowBytes, signal, stdin } = call;
    if (signal?.aborted === true) throw cancelled(operation, signal.reason);
    const options = { signal, ...(stdin === undefined ? {} : { stdin }) };
    const asked: AskForProcess = (connection, identity) =>
      ask(connection, { ...identity, path, windowBytes });
    const process = new SpawnedProcess(admin, randomUUID(), asked, options, windowBytes);
    await process.start();
    return new BuiltinProcess(call, process);
  }

  get stdout(): ReadableStream<Uint8Array> {
    return this.#process.stdout;
  }

  /** Resolves once all is done. Rejects with what failed: `FILE_SYSTEM`, `CANCELLED`, `TRANSFER_INTERRUPTED`, or how the VM or the connection was lost. */
  async finished(): Promise<void> {
    const end = await this.#process.exited;
    const words = await this.#words;
    if (end.outcome === "exited" && end.exitCode === 0) return;
    const { signal, operation, vmPath } = this.#call;
    if (signal?.aborted === true) throw cancelled(operation, signal.reason);
    throw failureOf(words, vmPath) ?? interrupted(vmPath, wordsOf(end));
  }

  /** Ends it in the middle. */
  async abandon(): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

/** A transfer that stopped in the middle: what came until then is there. */
export function interrupted(path: string, reason: string): AgentOsError<"TRANSFER_INTERRUPTED"> {
  const message = `the transfer of ${path} stopped in the middle: ${reason}. What came until then is there`;
  return new AgentOsError("TRANSFER_INTERRUPTED", message, { path, reason });
}

function failureOf(words: string, top: string): AgentOsError | undefined {
  const failure = readBuiltinFailure(words, top);
  if (failure?.step !== STREAM_STEP) return failure?.error;
  return interrupted(top, "its stream ended early or was not as agreed");
}

function wordsOf({ outcome, signal, limit }: ProcessEnd): string {
  const why = limit === undefined ? (signal ?? outcome) : `the VM's ${limit.name}`;
  return `its process in the VM ended (${why})`;
}
