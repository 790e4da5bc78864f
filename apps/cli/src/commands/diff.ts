import { AgentOs, type VmChange } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { EXIT_CODE } from "../exit-code.ts";
import { Interrupts } from "../guest/interrupts.ts";
import type { Io } from "../io.ts";
import { printable } from "../output/printable.ts";
import { readable } from "../output/readable.ts";
import { write, writeJson } from "../output/write.ts";

export interface DiffCommandOptions {
  readonly since?: string;
  readonly path?: readonly string[];
  readonly patch?: boolean;
}

const LETTERS = { added: "A", modified: "M", deleted: "D", mode: "m", type: "T" } as const;

/** `agentos diff VM`: what changed in it, a line or a patch for each file, as it is found. */
export async function diff(
  io: Io,
  { pool, json }: GlobalOptions,
  vm: string,
  { since, path: paths, patch }: DiffCommandOptions,
): Promise<number> {
  using interrupts = new Interrupts(io.signals);
  const { signal } = interrupts;
  await using os = await AgentOs.attach(vm, { pool, signal });
  for await (const change of os.diff({ since, paths, patch, signal })) {
    if (json === true) await writeJson(io.stdout, change);
    else if (change.patch === undefined) await write(io.stdout, lineOf(change));
    // A pipe gets the bytes as they are.
    else await write(io.stdout, io.stdout.isTTY === true ? readable(change.patch) : change.patch);
  }
  return EXIT_CODE.ok;
}

function lineOf({ kind, path, type }: VmChange): string {
  return `${LETTERS[kind]} ${printable(path)}${type === "directory" ? "/" : ""}\n`;
}
