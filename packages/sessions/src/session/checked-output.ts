import { isAgentOsError, type Json, parseArgument, type SessionSpec } from "@agentos/protocol";

import { objectSchema } from "../tools/object-schema.ts";

/** The output where it is as the session's schema says; else none, and why is told. */
export function checkedOutput(
  { outputSchema }: SessionSpec,
  output: Json | undefined,
  notice: (message: string) => void,
): Json | undefined {
  if (outputSchema === undefined || output === undefined || output === null) return undefined;
  try {
    parseArgument(objectSchema(outputSchema, "session.outputSchema"), output, "output");
    return output;
  } catch (error) {
    if (!isAgentOsError(error, "INVALID_ARGUMENT")) throw error;
    notice(`the output does not match its schema: ${error.message}`);
    return undefined;
  }
}
