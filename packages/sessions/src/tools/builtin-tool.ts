import {
  type ContentPart,
  type Json,
  JsonObject,
  parseArgument,
  type ToolCall,
} from "@agentos/protocol";
import * as z from "zod";

import type { ToolTurn } from "../tool-desk.ts";
import type { Tool, ToolOutput, TouchedPath } from "./tool.ts";

interface BuiltinTool<I> {
  readonly name: string;
  readonly description: string;
  readonly input: z.ZodType<I>;
  readonly crossesBorder?: boolean;
  readonly paths?: (input: I) => readonly TouchedPath[];
  /** As in `Tool`. */
  readonly assertPossible?: (input: I) => void;
  readonly run: (input: I, turn: ToolTurn, call: ToolCall) => Promise<ToolOutput | string>;
}

/** A tool of AgentOS itself: its input is what its schema says. */
export function builtinTool<I>(definition: BuiltinTool<I>): Tool {
  const { name, description, input, crossesBorder = false } = definition;
  const parse = (value: Json): I => parseArgument(input, value ?? {}, name);
  return {
    info: {
      name,
      description,
      inputSchema: JsonObject.parse(z.toJSONSchema(input, { io: "input" })),
      source: "builtin",
      crossesBorder,
    },
    // Parsed again where it runs: what lies between is JSON.
    parse: (value) => {
      parse(value);
      return value ?? {};
    },
    paths: (value) => definition.paths?.(parse(value)) ?? [],
    assertPossible: (value) => definition.assertPossible?.(parse(value)),
    run: async (call, turn) => {
      const output = await definition.run(parse(call.input), turn, call);
      if (typeof output !== "string") return output;
      const content: ContentPart[] = [{ type: "text", text: output }];
      return { content };
    },
  };
}
