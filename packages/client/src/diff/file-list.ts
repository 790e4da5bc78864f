import { AgentOsError, type FileStat, isAgentOsError } from "@agentos/protocol";

import type { VmFiles } from "../files/vm-files.ts";

/** Questions about files that are under way at once. */
const ASKED_AT_ONCE = 64;
/** Beyond it nobody reads the list, and nobody's memory should hold it. */
const MAX_FILES = 500_000;

export interface ListedFile extends Pick<
  FileStat,
  "type" | "mode" | "size" | "mtimeMs" | "ctimeMs"
> {
  /** What a link says. */
  readonly target?: string;
}

export interface ListOptions {
  /** Directories or files; what is not there is not listed. */
  readonly paths: readonly string[];
  /** Neither these nor what is below them. */
  readonly without: ReadonlySet<string>;
  readonly signal?: AbortSignal | undefined;
}

/** Everything below the paths, by path, themselves not included. What goes while it is listed is not in it. */
export async function listFiles(
  files: VmFiles,
  { paths, without, signal }: ListOptions,
): Promise<Map<string, ListedFile>> {
  const found = new Map<string, ListedFile>();
  const left = [...paths];
  while (left.length > 0) {
    signal?.throwIfAborted();
    const batch = left.splice(-ASKED_AT_ONCE);
    // oxlint-disable-next-line no-await-in-loop -- So many at once, and no more.
    const listed = await Promise.all(batch.map((path) => entriesOf(files, path)));
    const entries = listed.flat().filter((path) => !without.has(path));
    for (let at = 0; at < entries.length; at += ASKED_AT_ONCE) {
      const asked = entries.slice(at, at + ASKED_AT_ONCE);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      const facts = await Promise.all(asked.map((path) => factsOf(files, path)));
      for (const [index, path] of asked.entries()) {
        const fact = facts[index];
        if (fact === undefined) continue;
        if (found.size >= MAX_FILES) throw tooMany();
        found.set(path, fact);
        if (fact.type === "directory") left.push(path);
      }
    }
  }
  return found;
}

async function entriesOf(files: VmFiles, directory: string): Promise<string[]> {
  const names = await unlessGone(files.readdir(directory));
  return (names ?? []).map((name) => `${directory === "/" ? "" : directory}/${name}`);
}

async function factsOf(files: VmFiles, path: string): Promise<ListedFile | undefined> {
  const stat = await unlessGone(files.lstat(path));
  if (stat === undefined) return undefined;
  const { type, mode, size, mtimeMs, ctimeMs } = stat;
  if (type !== "symlink") return { type, mode, size, mtimeMs, ctimeMs };
  const target = await unlessGone(files.readlink(path));
  return target === undefined ? undefined : { type, mode, size, mtimeMs, ctimeMs, target };
}

/** Undefined where it is gone meanwhile, or its owner has closed it to itself. */
export async function unlessGone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    const closed = ["ENOENT", "EACCES", "ENOTDIR"];
    if (isAgentOsError(error, "FILE_SYSTEM") && closed.includes(error.errno ?? ""))
      return undefined;
    throw error;
  }
}

function tooMany(): AgentOsError<"INVALID_ARGUMENT"> {
  const details = {
    argument: "paths",
    expected: `at most ${MAX_FILES} files below them`,
    actual: "more",
  };
  const message = `paths: expected ${details.expected}, got more`;
  return new AgentOsError("INVALID_ARGUMENT", message, details);
}
