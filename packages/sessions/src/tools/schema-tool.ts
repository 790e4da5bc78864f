import {
  AgentOsError,
  Json,
  type JsonObject,
  parseArgument,
  type ToolCall,
  type ToolInfo,
} from "@agentos/protocol";
import * as z from "zod";

import type { ToolTurn } from "../tool-desk.ts";
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

function objectSchema(schema: JsonObject, argument: string): z.ZodType {
  if (schema["type"] !== "object") {
    throw invalid(argument, 'a JSON Schema of type "object"', JSON.stringify(schema["type"]));
  }
  try {
    return z.fromJSONSchema(schema);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw invalid(argument, "a JSON Schema that can be checked", why);
  }
}

function invalid(argument: string, expected: string, actual = "nothing"): AgentOsError {
  const message = `${argument}: expected ${expected}, got ${actual}`;
  return new AgentOsError("INVALID_ARGUMENT", message, { argument, expected, actual });
}
