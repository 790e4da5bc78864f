import * as z from "zod";

import { writeFile } from "../../vm/write-file.ts";
import type { ToolDeskRequest } from "../../tool-desk.ts";
import { builtinTool } from "../builtin-tool.ts";
import type { Tool } from "../tool.ts";
import { absolutePath, parentOf, PathInput } from "./absolute-path.ts";

/** create_file: a new file with its directories; an existing one only where that is asked for. */
export function createFile({ vm, cwd }: ToolDeskRequest): Tool {
  return builtinTool({
    name: "create_file",
    description: "Write a new file, with the directories above it.",
    input: z.object({
      path: PathInput,
      content: z.string(),
      overwrite: z.boolean().optional().describe("Replace an existing file. Default false."),
    }),
    paths: ({ path }) => [{ path: absolutePath(cwd, path), writes: true }],
    run: async ({ path, content, overwrite = false }) => {
      const { files } = vm.handle();
      const target = absolutePath(cwd, path);
      await files.mkdir(parentOf(target), { mode: 0o755, recursive: true });
      const bytes = Buffer.from(content);
      await writeFile(files, { path: target, bytes, how: overwrite ? "truncate" : "exclusive" });
      return `wrote ${bytes.byteLength} bytes to ${path}`;
    },
  });
}
