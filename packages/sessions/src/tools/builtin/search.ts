import * as z from "zod";

import { runProcess } from "../../vm/run-process.ts";
import { builtinTool } from "../builtin-tool.ts";
import type { ToolDeskRequest, ToolTurn } from "../../tool-desk.ts";
import { failedOutput, textOutput, type Tool, type ToolOutput } from "../tool.ts";
import { absolutePath, PathInput } from "./absolute-path.ts";
import { CommandOutput } from "./command-output.ts";

/** A search ends within this: a pattern of the model's may be a slow one. */
const SEARCH_MS = 30_000;

/** find_file and search_directory, by the VM's own find and grep: a hostile pattern costs the VM, not the sidecar. */
export function searchTools(context: ToolDeskRequest): readonly Tool[] {
  const { cwd } = context;
  const read = (path = "."): { path: string; writes: boolean }[] => [
    { path: absolutePath(cwd, path), writes: false },
  ];
  return [
    builtinTool({
      name: "find_file",
      description: "Find files by a glob of their name, such as *.test.ts, below a directory.",
      input: z.object({ pattern: z.string().min(1), path: PathInput.optional() }),
      paths: ({ path }) => read(path),
      run: async ({ pattern, path = "." }, turn) => {
        const prune = ["-name", ".git", "-prune", "-o"];
        const argv = ["find", absolutePath(cwd, path), ...prune, "-name", pattern, "-print"];
        return await search(context, argv, turn);
      },
    }),
    builtinTool({
      name: "search_directory",
      description: "Find lines that match an extended regular expression below a directory.",
      input: z.object({
        pattern: z.string().min(1),
        path: PathInput.optional(),
        files: z.string().min(1).optional().describe("A glob of the names to look into."),
      }),
      paths: ({ path }) => read(path),
      run: async ({ pattern, path = ".", files }, turn) => {
        const only = files === undefined ? [] : [`--include=${files}`];
        const options = ["-rnIE", "--exclude-dir=.git", ...only, "-e", pattern];
        const argv = ["grep", ...options, "--", absolutePath(cwd, path)];
        return await search(context, argv, turn);
      },
    }),
  ];
}

async function search(
  { vm, clock, cwd }: ToolDeskRequest,
  argv: readonly string[],
  { signal }: ToolTurn,
): Promise<ToolOutput> {
  const output = new CommandOutput(() => undefined);
  const request = { argv, cwd, env: {}, timeoutMs: SEARCH_MS, signal, take: output.take };
  const exit = await runProcess(vm, clock, request);
  if (exit.exitCode === 0) return textOutput(output.describe(exit));
  // grep says 1 for no match; find says it for a directory that it may not read.
  if (exit.exitCode === 1 && argv[0] === "grep") return textOutput("no match");
  return failedOutput(output.describe(exit));
}
