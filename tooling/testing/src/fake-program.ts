import type { Signal } from "@agentos/protocol";

import type { MemoryTree } from "./memory-tree.ts";

/** What a scripted program may use. */
export interface ProgramContext {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly files: MemoryTree;
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Resolves when the bytes are out of the program: a full pipe makes it wait. */
  readonly stdout: (data: string | Uint8Array) => Promise<void>;
  readonly stderr: (data: string | Uint8Array) => Promise<void>;
  /** Aborted when the process has ended, whatever ended it. */
  readonly ended: AbortSignal;
  /** Instead of the signal's default action. SIGKILL can't be trapped. */
  trap(signal: Signal, handler: () => void): void;
  /** Keeps stdout and stderr open after the program's end until `work` has ended: a background child. */
  background(work: Promise<void>): void;
}

/** A program of a fake VM: its result is the exit code. Must return soon after `ended`. */
export type FakeProgram = (context: ProgramContext) => Promise<number> | number;
