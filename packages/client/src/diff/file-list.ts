import {
  AgentOsError,
  DEFAULTS,
  isAgentOsError,
  type ListedFile,
  ListReader,
} from "@agentos/protocol";

import { BuiltinProcess, interrupted } from "../files/builtin-process.ts";
import type { VmAdmin } from "../leases/vm-admin.ts";

/** Beyond it nobody reads the list, and nobody's memory should hold it. */
const MAX_FILES = 500_000;

export interface ListOptions {
  /** Directories or files; what is not there is not listed. */
  readonly paths: readonly string[];
  /** Neither these nor what is below them. */
  readonly without: ReadonlySet<string>;
  /** Whether short files have a digest of their bytes. */
  readonly digest?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Everything below the paths, by path, themselves not included. What goes while it is listed is not in it. */
export async function listFiles(
  admin: VmAdmin,
  { paths, ...options }: ListOptions,
): Promise<Map<string, ListedFile>> {
  const found = new Map<string, ListedFile>();
  for (const path of paths) {
    options.signal?.throwIfAborted();
    // oxlint-disable-next-line no-await-in-loop -- Each is one stream.
    await unlessGone(listBelow(admin, path, options, found));
  }
  return found;
}

async function listBelow(
  admin: VmAdmin,
  top: string,
  { without, digest = false, signal }: Omit<ListOptions, "paths">,
  found: Map<string, ListedFile>,
): Promise<void> {
  const process = await BuiltinProcess.start({
    admin,
    operation: "diff",
    vmPath: top,
    ask: (connection, identity) =>
      connection.request("fs.list", { ...identity, without: [...without], digest }),
    windowBytes: DEFAULTS.transferWindowBytes,
    signal,
  });
  const reader = new ListReader();
  const above = top.endsWith("/") ? top : `${top}/`;
  try {
    for await (const chunk of process.stdout) {
      for (const file of reader.push(chunk)) {
        if (found.size >= MAX_FILES) throw tooMany();
        found.set(`${above}${file.path}`, file);
      }
    }
    await process.finished();
    if (!reader.hasEnded) throw interrupted(top, "its list ended early");
  } catch (error) {
    await process.abandon();
    throw error;
  }
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
