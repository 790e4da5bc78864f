import { stat } from "node:fs/promises";
import { basename, join, posix, resolve } from "node:path";

import { AgentOs, isAgentOsError } from "@agentos/client";

import type { GlobalOptions } from "../command-context.ts";
import { EXIT_CODE } from "../exit-code.ts";
import { Interrupts } from "../guest/interrupts.ts";
import type { Io } from "../io.ts";
import type { Location } from "../options/parse-location.ts";
import { writeJson } from "../output/write.ts";

/** What a copy leaves out. */
export interface CopyRules {
  readonly ignore?: readonly string[];
  /** Into a VM only. */
  readonly gitignore?: true;
}

export interface Copy extends CopyRules {
  readonly source: Location;
  readonly target: Location;
}

/** `agentos cp SRC DST`, exactly one of them in a VM. */
export async function cp(io: Io, globals: GlobalOptions, copy: Copy): Promise<number> {
  const { source, target, ignore, gitignore } = copy;
  using interrupts = new Interrupts(io.signals);
  const { signal } = interrupts;
  const vm = source.kind === "vm" ? source.vm : target.kind === "vm" ? target.vm : "";
  try {
    await using os = await AgentOs.attach(vm, { pool: globals.pool, signal });
    const inward = target.kind === "vm";
    const from = source.kind === "host" ? resolve(io.directory, source.path) : source.path;
    const to = inward
      ? await intoDirectory(source.path, target.path, posix.join, (path) =>
          isGuestDirectory(os, path),
        )
      : await intoDirectory(source.path, resolve(io.directory, target.path), join, isHostDirectory);
    const result = inward
      ? await os.fs.upload(from, to, { signal, ignore, gitignore })
      : await os.fs.download(from, to, { signal, ignore });
    if (globals.json === true) await writeJson(io.stdout, { vmId: os.id, from, to, ...result });
    return EXIT_CODE.ok;
  } catch (error) {
    if (interrupts.exitCode !== undefined) return interrupts.exitCode;
    throw error;
  }
}

/** A directory that exists takes the source under its own name, unless the source is meant as its content. */
async function intoDirectory(
  source: string,
  target: string,
  joinPaths: (...parts: string[]) => string,
  isDirectory: (path: string) => Promise<boolean>,
): Promise<string> {
  const contentOnly = /(?:^|\/)\.$/.test(source);
  return !contentOnly && (await isDirectory(target)) ? joinPaths(target, basename(source)) : target;
}

async function isHostDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}

async function isGuestDirectory(os: AgentOs, path: string): Promise<boolean> {
  try {
    return (await os.fs.stat(path)).type === "directory";
  } catch (error) {
    if (isAgentOsError(error, "FILE_SYSTEM") && error.details.errno === "ENOENT") return false;
    throw error;
  }
}
