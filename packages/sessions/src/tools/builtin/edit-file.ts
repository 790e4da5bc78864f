import { isUtf8 } from "node:buffer";

import * as z from "zod";

import { readFile } from "../../vm/read-file.ts";
import { writeFile } from "../../vm/write-file.ts";
import type { ToolDeskRequest } from "../../tool-desk.ts";
import { builtinTool } from "../builtin-tool.ts";
import { failedOutput, type Tool } from "../tool.ts";
import { absolutePath, PathInput } from "./absolute-path.ts";

/** Largest file that can be edited. */
const MAX_EDIT_BYTES = 8 * 1024 * 1024;

/** edit_file: replaces one exact text by another. */
export function editFile({ vm, cwd }: ToolDeskRequest): Tool {
  return builtinTool({
    name: "edit_file",
    description:
      "Replace a text in a file. The old text must occur exactly once, unless replace_all.",
    input: z.object({
      path: PathInput,
      old_text: z.string().min(1),
      new_text: z.string(),
      replace_all: z.boolean().optional(),
    }),
    paths: ({ path }) => [{ path: absolutePath(cwd, path), writes: true }],
    run: async ({ path, old_text: old, new_text: fresh, replace_all: all = false }) => {
      const { files } = vm.handle();
      const target = absolutePath(cwd, path);
      const { bytes, stat } = await readFile(files, target, MAX_EDIT_BYTES);
      if (stat.size > MAX_EDIT_BYTES) {
        return failedOutput(
          `${path} has ${stat.size} bytes, at most ${MAX_EDIT_BYTES} can be edited`,
        );
      }
      if (!isUtf8(bytes)) return failedOutput(`${path} is not UTF-8 text`);
      const parts = bytes.toString("utf8").split(old);
      const count = parts.length - 1;
      if (count === 0) return failedOutput(`the old text does not occur in ${path}`);
      if (count > 1 && !all) {
        return failedOutput(
          `the old text occurs ${count} times in ${path}; say more of it, or replace_all`,
        );
      }
      await writeFile(files, {
        path: target,
        bytes: Buffer.from(parts.join(fresh)),
        how: "truncate",
      });
      return `replaced ${count} ${count === 1 ? "place" : "places"} in ${path}`;
    },
  });
}
