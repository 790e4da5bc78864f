import { ERROR_CODES, type ErrorCode, type ErrorDetails } from "./error-codes.ts";

const BRAND = Symbol.for("agentos.error");

interface ErrorOptions {
  cause?: unknown;
}

/** The one error of AgentOS. Match on `code`, never on `message`. */
export class AgentOsError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = "AgentOsError";
  readonly [BRAND] = true;
  readonly code: C;
  readonly details: ErrorDetails<C>;
  /** Whether the same call may succeed when it is repeated. */
  readonly retryable: boolean;
  /** For `FILE_SYSTEM`: the errno's name, as on Node's own errors. */
  readonly errno: string | undefined;

  constructor(code: C, message: string, details: ErrorDetails<C>, options: ErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.details = details;
    this.retryable = ERROR_CODES[code].retryable;
    this.errno = "errno" in details ? details.errno : undefined;
  }
}

/** Recognises the error across copies of this package, and its code where one is given. */
export function isAgentOsError<C extends ErrorCode>(
  value: unknown,
  code?: C,
): value is AgentOsError<C> {
  if (typeof value !== "object" || value === null || !(BRAND in value)) return false;
  return code === undefined || ("code" in value && value.code === code);
}
