import { Json, parseArgument, type ToolCall, type ToolInfo } from "@agentos/protocol";

import type { ToolTurn } from "../tool-desk.ts";
import { objectSchema } from "./object-schema.ts";
import type { Tool, ToolOutput } from "./tool.ts";

interface SchemaTool {
  readonly info: ToolInfo;
  /** What the schema came in as, for an error about it. */
  readonly argument: string;
  readonly run: (call: ToolCall, turn: ToolTurn) => Promise<ToolOutput>;
}

/** A tool whose input is said by a JSON Schema. Throws `INVALID_ARGUMENT` for one that is no schema of an object. */
export function schemaTool({ info, argument, run }: SchemaTool): Tool {
  const schema = objectSchema(info.inputSchema, argument);
  return {
    info,
    parse: (input) => Json.parse(parseArgument(schema, input ?? {}, info.name)),
    paths: () => [],
    run,
  };
}
