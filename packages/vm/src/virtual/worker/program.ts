import { posix } from "node:path";

import { AgentOsError } from "@agentos/protocol";

import type { FileTree } from "../tree/file-tree.ts";

/** Builtins that are no programs anywhere, but that an argv may start with. */
const BUILTINS = new Set([":", "[", "echo", "false", "printf", "pwd", "test", "true"]);
/** Programs that people expect, and that only a VM with real processes can have. */
const NATIVE = new Set(
  "apt apt-get bun cargo cc clang cmake corepack deno docker g++ gcc gh git go java make node npm npx perl php pip pip3 pnpm python python3 ruby rustc ssh tsc uv yarn".split(
    " ",
  ),
);
const EXECUTABLE = 0o111;
const ELF = [0x7f, 0x45, 0x4c, 0x46];
const SHELLS = new Set(["sh", "bash", "/bin/sh", "/bin/bash", "/usr/bin/sh", "/usr/bin/bash"]);

/** What the interpreter is given for an argv. */
export interface Program {
  readonly script: string;
  /** Added to the script's first command as they are. */
  readonly args: readonly string[];
}

/** The program of an argv; `sh -c` is taken apart so that its output can be streamed. */
export function programOf(argv: readonly string[]): Program {
  const [command = "", flag, script] = argv;
  const isScript = argv.length === 3 && flag === "-c" && SHELLS.has(command);
  if (isScript && script !== undefined) return { script, args: [] };
  return { script: `'${command.replaceAll("'", `'\\''`)}'`, args: argv.slice(1) };
}

/**
 * Refuses what can't be run, as a kernel would before anything starts: `COMMAND_NOT_FOUND`,
 * `COMMAND_NOT_EXECUTABLE`, and `UNSUPPORTED` for a native program.
 */
export function assertProgram(
  tree: FileTree,
  request: { argv: readonly string[]; cwd: string; env: Readonly<Record<string, string>> },
): void {
  const command = request.argv[0] ?? "";
  if (BUILTINS.has(command)) return;
  const found = command.includes("/")
    ? statusOf(tree, posix.resolve(request.cwd, command))
    : search(tree, command, request.env["PATH"] ?? "/usr/bin:/bin", request.cwd);
  if (found === "native") throw isNative(command);
  if (found === "refused") {
    const message = `command not executable: ${command}: permission denied`;
    const details = { command, exitCode: 126, errno: "EACCES" } as const;
    throw new AgentOsError("COMMAND_NOT_EXECUTABLE", message, details);
  }
  if (found === "missing") {
    if (NATIVE.has(posix.basename(command))) throw isNative(command);
    const message = `command not found: ${command}`;
    throw new AgentOsError("COMMAND_NOT_FOUND", message, { command, exitCode: 127 });
  }
}

type Status = "missing" | "refused" | "native" | "fine";

function search(tree: FileTree, command: string, path: string, cwd: string): Status {
  let best: Status = "missing";
  for (const directory of path.split(":").filter((part) => part !== "")) {
    const status = statusOf(tree, posix.resolve(cwd, directory, command));
    if (status === "fine" || status === "native") return status;
    if (status === "refused") best = status;
  }
  return best;
}

function statusOf(tree: FileTree, path: string): Status {
  try {
    const { node } = tree.locate(path, "exec");
    if (node === undefined) return "missing";
    if (node.type !== "file" || (node.mode & EXECUTABLE) === 0) return "refused";
    return ELF.every((byte, at) => node.size > at && node.bytes[at] === byte) ? "native" : "fine";
  } catch {
    // A part of it is no directory, or a link that leads nowhere.
    return "missing";
  }
}

function isNative(command: string): AgentOsError<"UNSUPPORTED"> {
  const what = `the native program ${command} in a virtual VM`;
  const instead = 'a VM with driver: "linux"';
  return new AgentOsError("UNSUPPORTED", `${what}: use ${instead}`, { what, instead });
}
