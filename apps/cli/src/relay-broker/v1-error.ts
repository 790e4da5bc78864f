import { AgentOsError } from "@agentos/client";
import type * as z from "zod";

/** Every code that a v1 client may be told. */
export type V1ErrorCode =
  | "unsupported_version"
  | "unknown_type"
  | "invalid_request"
  | "invalid_agent_name"
  | "duplicate_name"
  | "spawn_failed"
  | "agent_not_found"
  | "sender_not_found"
  | "not_supported"
  | "model_switch_failed"
  | "queue_full"
  | "acl_denied"
  | "response_too_large"
  | "internal_error";

/** What a request is answered with where it could not be carried out. */
export class V1Error extends Error {
  override readonly name = "V1Error";
  readonly code: V1ErrorCode;
  readonly retryable: boolean;

  constructor(code: V1ErrorCode, message: string, retryable = false) {
    super(message);
    this.code = code;
    this.retryable = retryable;
  }
}

/** Names the field. */
export function invalidPayload(error: z.ZodError): V1Error {
  const issue = error.issues[0];
  const field = issue === undefined ? "payload" : ["payload", ...issue.path].map(String).join(".");
  return new V1Error("invalid_request", `${field}: ${issue?.message ?? "not understood"}`);
}

/** What a failure of ours is to a v1 client; `during` says what was asked. */
export function v1Error(error: unknown, during: string): V1Error {
  if (error instanceof V1Error) return error;
  if (!(error instanceof AgentOsError)) {
    const reason = error instanceof Error ? error.message : String(error);
    return new V1Error("internal_error", reason);
  }
  const { message, retryable } = error;
  if (during === "spawn_agent") return spawnError(error);
  if (during === "set_model") return new V1Error(modelCode(error), message, retryable);
  return new V1Error(CODES[error.code] ?? "internal_error", message, retryable);
}

const CODES: Readonly<Record<string, V1ErrorCode>> = {
  NOT_FOUND: "agent_not_found",
  INVALID_ARGUMENT: "invalid_request",
  UNSUPPORTED: "not_supported",
  POOL_EXHAUSTED: "queue_full",
  MAILBOX_FULL: "queue_full",
  ACL_DENIED: "acl_denied",
  FORBIDDEN: "acl_denied",
};

function modelCode({ code }: AgentOsError): V1ErrorCode {
  return code === "NOT_FOUND" ? "agent_not_found" : "model_switch_failed";
}

function spawnError(error: AgentOsError): V1Error {
  const { message, details } = error;
  if (error.code === "ALREADY_EXISTS") return new V1Error("duplicate_name", message);
  if (error.code !== "INVALID_ARGUMENT")
    return new V1Error("spawn_failed", message, error.retryable);
  const argument = "argument" in details ? details.argument : "";
  if (/(^|\.)name$/.test(argument)) return new V1Error("invalid_agent_name", message);
  const isShadow = /shadow/i.test(argument);
  return new V1Error(isShadow ? "invalid_request" : "spawn_failed", message);
}
