import { closeSync, constants, openSync, writeSync } from "node:fs";
import { open, readFile } from "node:fs/promises";

// A missing file is not made, on whatever filesystem.
// oxlint-disable-next-line no-bitwise
const FLAGS = constants.O_WRONLY | constants.O_TRUNC;

/** Writes a control file that is there. */
export async function writeControl(path: string, text: string): Promise<void> {
  const file = await open(path, FLAGS);
  try {
    await file.write(text);
  } finally {
    await file.close();
  }
}

/** The same at once, for what the kernel only has to note: turns of the loop would cost ten times the call. */
export function writeControlNow(path: string, text: string): void {
  const file = openSync(path, FLAGS);
  try {
    writeSync(file, text);
  } finally {
    closeSync(file);
  }
}

/** What a control file says, trimmed; undefined where it can't be read. */
export async function readControl(path: string): Promise<string | undefined> {
  try {
    const text = await readFile(path, "latin1");
    return text.trim();
  } catch {
    // Missing in this kernel, or gone with its cgroup.
    return undefined;
  }
}

/** The number behind `key` in a file of `key number` lines. */
export async function readKey(path: string, key: string): Promise<number | undefined> {
  const text = await readControl(path);
  const line = text?.split("\n").find((each) => each.startsWith(`${key} `));
  return line === undefined ? undefined : numberOf(line.slice(key.length + 1));
}

/** The pids in a cgroup. */
export async function readProcs(directory: string): Promise<number[] | undefined> {
  const text = await readControl(`${directory}/cgroup.procs`);
  if (text === undefined) return undefined;
  return text === "" ? [] : text.split("\n").map(Number);
}

/** A whole number, or undefined. */
export function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** The errno's name of a failed system call. */
export function errnoOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
