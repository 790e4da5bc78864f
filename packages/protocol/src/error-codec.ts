import * as z from "zod";

import { AgentOsError, isAgentOsError } from "./agent-os-error.ts";
import { ERROR_CODES, isErrorCode } from "./error-codes.ts";

/** An error on the wire. A code of a newer peer arrives as `INTERNAL` with the code as reason. */
export const WireError = z.object({
  code: z.string(),
  message: z.string(),
  details: z.record(z.string(), z.unknown()),
});
export type WireError = z.infer<typeof WireError>;

/** What of `error` may cross the wire: its code, message and details; of a foreign error nothing but that it happened. */
export function encodeError(error: unknown): WireError {
  if (isAgentOsError(error)) {
    return { code: error.code, message: error.message, details: { ...error.details } };
  }
  return {
    code: "INTERNAL",
    message: "internal error: see the sidecar's log",
    details: {},
  };
}

/** The error that `wire` says, with the stack of this side. */
export function decodeError(wire: WireError): AgentOsError {
  if (isErrorCode(wire.code)) {
    const details = ERROR_CODES[wire.code].details.safeParse(wire.details);
    if (details.success) return new AgentOsError(wire.code, wire.message, details.data);
  }
  return new AgentOsError("INTERNAL", wire.message, { reason: wire.code });
}
