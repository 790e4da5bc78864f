import { randomUUID } from "node:crypto";
import { text } from "node:stream/consumers";
import { getSystemErrorMap } from "node:util";

import { AgentOsError, DEFAULTS } from "@agentos/protocol";

import type { VmAdmin } from "../leases/vm-admin.ts";
import type { ProcessEnd } from "../process/process-end.ts";
import { type AskForProcess, SpawnedProcess } from "../process/spawned-process.ts";
import type { SpawnOptions } from "../process/spawn.ts";
import { cancelled } from "../race-signal.ts";

/** What the VM's agent says of a failure: errno, step, and the path below the top. */
const FAILURE = /^(?<errno>\d{1,5}) (?<step>[a-z]{1,16}) (?<path>[^]*)$/;
/** The steps that say that the stream itself was cut or wrong. */
const STREAM_STEP = "stream";

export interface TreeTransfer {
  readonly admin: VmAdmin;
  readonly method: "fs.pack" | "fs.unpack";
  readonly vmPath: string;
  readonly signal: AbortSignal | undefined;
}

/** A process of the VM's agent that packs or unpacks a tree. */
export class TreeProcess {
  readonly #transfer: TreeTransfer;
  readonly #process: SpawnedProcess;
  readonly #words: Promise<string>;

  private constructor(transfer: TreeTransfer, process: SpawnedProcess) {
    this.#transfer = transfer;
    this.#process = process;
    this.#words = text(process.stderr);
    this.#words.catch(() => undefined);
  }

  static async start(transfer: TreeTransfer, stdin?: SpawnOptions["stdin"]): Promise<TreeProcess> {
    const { admin, method, vmPath: path, signal } = transfer;
    const operation = operationOf(transfer);
    if (signal?.aborted === true) throw cancelled(operation, signal.reason);
    const windowBytes = DEFAULTS.transferWindowBytes;
    const ask: AskForProcess = (connection, identity) =>
      connection.request(method, { ...identity, path, windowBytes });
    const options = { signal, ...(stdin === undefined ? {} : { stdin }) };
    const process = new SpawnedProcess(admin, randomUUID(), ask, options, windowBytes);
    await process.start();
    return new TreeProcess(transfer, process);
  }

  get stdout(): ReadableStream<Uint8Array> {
    return this.#process.stdout;
  }

  /** Resolves once everything is where it belongs. Rejects with what failed: `FILE_SYSTEM`, `CANCELLED`, `TRANSFER_INTERRUPTED`, or how the VM or the connection was lost. */
  async finished(): Promise<void> {
    const end = await this.#process.exited;
    const words = await this.#words;
    if (end.outcome === "exited" && end.exitCode === 0) return;
    const { signal, vmPath } = this.#transfer;
    const operation = operationOf(this.#transfer);
    if (signal?.aborted === true) throw cancelled(operation, signal.reason);
    throw failureOf(words, operation, vmPath) ?? interrupted(vmPath, wordsOf(end));
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

function operationOf({ method }: TreeTransfer): string {
  return method === "fs.pack" ? "fs.download" : "fs.upload";
}

function failureOf(words: string, operation: string, top: string): AgentOsError | undefined {
  const { errno, step, path } = FAILURE.exec(words)?.groups ?? {};
  if (errno === undefined || step === undefined || path === undefined) return undefined;
  if (step === STREAM_STEP) return interrupted(top, "its stream ended early or was not as agreed");
  const [name, message] = getSystemErrorMap().get(-Number(errno)) ?? [`E${errno}`, "unknown error"];
  const full = path === "" ? top : `${top === "/" ? "" : top}/${path}`;
  return new AgentOsError("FILE_SYSTEM", `${name}: ${message}, ${step} '${full}'`, {
    errno: name,
    syscall: step,
    path: full,
  });
}

function wordsOf({ outcome, signal, limit }: ProcessEnd): string {
  const why = limit === undefined ? (signal ?? outcome) : `the VM's ${limit.name}`;
  return `its process in the VM ended (${why})`;
}
