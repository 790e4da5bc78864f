import { AgentOsError, type JsonObject } from "@agentos/protocol";
import * as z from "zod";

/** What a JSON Schema of an object checks. Throws `INVALID_ARGUMENT` for one that is none; `argument` is what it came in as. */
export function objectSchema(schema: JsonObject, argument: string): z.ZodType {
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
