import { type FrameWriter, piecesOf } from "./frame-writer.ts";
import type { RelayGate } from "./relay-gate.ts";
import type { WorkerLogs } from "./worker-logs.ts";

export interface WorkerOutputOptions {
  readonly gate: RelayGate;
  readonly logs: WorkerLogs | undefined;
  readonly writer: FrameWriter;
  readonly warn: (text: string) => void;
}

/** For the last output of an agent that is gone. */
const LAST_MS = 500;

interface Reader {
  readonly life: AbortController;
  readonly done: Promise<void>;
}

/** Tells what agents put out, in pieces that have room in a line. */
export class WorkerOutput {
  readonly #options: WorkerOutputOptions;
  readonly #readers = new Map<string, Reader>();

  constructor(options: WorkerOutputOptions) {
    this.#options = options;
  }

  /** Whatever the agent puts out from now on. */
  follow(name: string): void {
    this.#readers.get(name)?.life.abort();
    const life = new AbortController();
    this.#readers.set(name, { life, done: this.#tell(name, life.signal) });
  }

  /** The agent is gone: resolves once what it had put out is told. */
  async end(name: string): Promise<void> {
    const reader = this.#readers.get(name);
    if (reader === undefined) return;
    this.#readers.delete(name);
    const late = setTimeout(() => reader.life.abort(), LAST_MS);
    await reader.done;
    clearTimeout(late);
  }

  stop(): void {
    for (const { life } of this.#readers.values()) life.abort();
    this.#readers.clear();
  }

  async #tell(name: string, signal: AbortSignal): Promise<void> {
    const { gate, logs, writer, warn } = this.#options;
    try {
      for await (const { stream, text } of gate.output(name, signal)) {
        await logs?.append(name, text);
        for (const chunk of piecesOf(text))
          await writer.event("worker_stream", { name, stream, chunk, timestamp: Date.now() });
      }
    } catch (error) {
      if (!signal.aborted) warn(`${name}: ${error instanceof Error ? error.message : "no output"}`);
    }
  }
}
