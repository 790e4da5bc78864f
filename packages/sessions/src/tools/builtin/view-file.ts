import { AgentOsError, DEFAULTS } from "@agentos/protocol";
import * as z from "zod";

import { readFile } from "../../vm/read-file.ts";
import type { ToolDeskRequest } from "../../tool-desk.ts";
import { builtinTool } from "../builtin-tool.ts";
import type { Tool, ToolOutput } from "../tool.ts";
import { absolutePath, PathInput } from "./absolute-path.ts";

/** Largest file that is read for a view; more is told. */
const MAX_VIEW_BYTES = 8 * 1024 * 1024;
const IMAGES: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
};

/** view_file: a text file, whole or by lines, or an image. */
export function viewFile({ vm, cwd }: ToolDeskRequest): Tool {
  return builtinTool({
    name: "view_file",
    description: "Show a text file, whole or some of its lines, or an image.",
    input: z.object({
      path: PathInput,
      start_line: z.int().min(1).optional().describe("First line, counted from 1."),
      end_line: z.int().min(1).optional().describe("Last line, included."),
    }),
    paths: ({ path }) => [{ path: absolutePath(cwd, path), writes: false }],
    run: async ({ path, start_line: start = 1, end_line: end }) => {
      const { bytes, stat } = await readFile(
        vm.handle().files,
        absolutePath(cwd, path),
        MAX_VIEW_BYTES,
      );
      const mediaType = IMAGES[path.slice(path.lastIndexOf(".") + 1).toLowerCase()];
      if (mediaType !== undefined) return image(bytes, mediaType);
      if (bytes.includes(0)) return `${path} is a binary file of ${stat.size} bytes`;
      const lines = bytes.toString("utf8").split("\n");
      if (start > lines.length) {
        const expected = `a line up to ${lines.length}`;
        throw new AgentOsError(
          "INVALID_ARGUMENT",
          `view_file.start_line: ${expected}, got ${start}`,
          {
            argument: "start_line",
            expected,
            actual: String(start),
          },
        );
      }
      return lines.slice(start - 1, end).join("\n");
    },
  });
}

function image(bytes: Buffer, mediaType: string): ToolOutput | string {
  const data = bytes.toString("base64");
  if (data.length > DEFAULTS.toolResultBytes) {
    return `an image of ${bytes.byteLength} bytes, too large to be shown`;
  }
  return { content: [{ type: "image", mediaType, data }] };
}
