import * as z from "zod";

import { readDirectory } from "../../vm/read-directory.ts";
import type { ToolDeskRequest } from "../../tool-desk.ts";
import { builtinTool } from "../builtin-tool.ts";
import type { Tool } from "../tool.ts";
import { absolutePath, PathInput } from "./absolute-path.ts";

const MARKS: Readonly<Record<string, string>> = { directory: "/", symlink: "@" };

/** list_directory: the names in a directory. */
export function listDirectory({ vm, cwd }: ToolDeskRequest): Tool {
  return builtinTool({
    name: "list_directory",
    description: "List a directory: a line per entry, directories end with /, links with @.",
    input: z.object({ path: PathInput.optional() }),
    paths: ({ path = "." }) => [{ path: absolutePath(cwd, path), writes: false }],
    run: async ({ path = "." }) => {
      const entries = await readDirectory(vm.handle().files, absolutePath(cwd, path));
      if (entries.length === 0) return "(empty)";
      return entries.map(({ name, type }) => `${name}${MARKS[type] ?? ""}`).join("\n");
    },
  });
}
