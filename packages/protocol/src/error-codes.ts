import * as z from "zod";

const text = z.string();
const count = z.number();

/**
 * Every error code: whether repeating the same call can help, and the details it carries.
 * docs/errors.md says of each when it occurs and what to do.
 */
export const ERROR_CODES = {
  ACL_DENIED: {
    retryable: false,
    details: z.object({ sender: text, target: text, ownerChain: z.array(text) }),
  },
  AGENT_EXITED: {
    retryable: true,
    details: z.object({
      exitCode: count.nullable(),
      signal: text.nullable(),
      stderr: z.array(text),
      /** The VM's limit that it was killed at. */
      limit: text.optional(),
    }),
  },
  AGENT_NOT_INSTALLED: {
    retryable: false,
    details: z.object({ agent: text, install: text }),
  },
  AGENT_VERSION: {
    retryable: false,
    details: z.object({ agent: text, version: text, expected: text, install: text }),
  },
  ALREADY_EXISTS: { retryable: false, details: z.object({ kind: text, id: text }) },
  ARGUMENTS_TOO_LONG: { retryable: false, details: z.object({ limit: count, actual: count }) },
  BUDGET_EXHAUSTED: {
    retryable: false,
    details: z.object({ budget: text, limit: count, used: count }),
  },
  CALLBACK_FAILED: {
    retryable: false,
    details: z.object({ callback: text, reason: text }),
  },
  CANCELLED: { retryable: false, details: z.object({ operation: text }) },
  COMMAND_NOT_EXECUTABLE: {
    retryable: false,
    details: z.object({ command: text, exitCode: z.literal(126), errno: text }),
  },
  COMMAND_NOT_FOUND: {
    retryable: false,
    details: z.object({ command: text, exitCode: z.literal(127) }),
  },
  CONNECTION_LOST: { retryable: true, details: z.object({ reason: text }) },
  DEADLINE_EXCEEDED: {
    retryable: true,
    details: z.object({ operation: text, deadlineMs: count }),
  },
  DISPOSED: { retryable: false, details: z.object({ kind: text, id: text }) },
  DRIVER_UNAVAILABLE: {
    retryable: false,
    details: z.object({ driver: text, reason: text, remedy: text.optional() }),
  },
  FENCED: {
    retryable: false,
    details: z.object({ vmId: text, fence: count, currentFence: count }),
  },
  FILE_SYSTEM: {
    retryable: false,
    details: z.object({
      errno: text,
      syscall: text,
      path: text.optional(),
      dest: text.optional(),
    }),
  },
  FORBIDDEN: { retryable: false, details: z.object({ operation: text, user: text }) },
  FRAME_TOO_LARGE: { retryable: false, details: z.object({ limit: count, actual: count }) },
  HOST_UNREACHABLE: {
    retryable: true,
    details: z.object({ host: text, port: count, reason: text }),
  },
  IMAGE_NOT_FOUND: { retryable: false, details: z.object({ image: text, known: z.array(text) }) },
  IMAGE_REFUSED: { retryable: false, details: z.object({ image: text, reason: text }) },
  INSTALL_FAILED: { retryable: true, details: z.object({ package: text, reason: text }) },
  INTERNAL: { retryable: false, details: z.object({ reason: text.optional() }) },
  IN_USE: {
    retryable: true,
    details: z.object({ kind: text, id: text, by: z.array(text) }),
  },
  INVALID_ARGUMENT: {
    retryable: false,
    details: z.object({ argument: text, expected: text, actual: text }),
  },
  MAILBOX_FULL: {
    retryable: true,
    details: z.object({ agent: text, limit: text, capacity: count, waiting: count }),
  },
  MISSING_KEY: {
    retryable: false,
    details: z.object({ provider: text, variables: z.array(text) }),
  },
  MODEL_SWITCH_FAILED: { retryable: false, details: z.object({ model: text, reason: text }) },
  MOUNT_REFUSED: {
    retryable: false,
    details: z.object({ source: text.optional(), target: text, reason: text }),
  },
  NETWORK_REFUSED: {
    retryable: false,
    details: z.object({ host: text, port: count, reason: text }),
  },
  NOT_DELIVERED: {
    retryable: false,
    details: z.object({ messageId: text, recipient: text, state: text, reason: text }),
  },
  NOT_FOUND: { retryable: false, details: z.object({ kind: text, id: text }) },
  PACKAGE_MISSING: { retryable: false, details: z.object({ package: text, install: text }) },
  PORT_CLOSED: { retryable: true, details: z.object({ vmId: text, port: text }) },
  PORT_IN_USE: { retryable: false, details: z.object({ port: text }) },
  POOL_EXHAUSTED: {
    retryable: true,
    details: z.object({ limit: text, capacity: count, waiting: count }),
  },
  PROTOCOL_ERROR: { retryable: false, details: z.object({ reason: text }) },
  PROVIDER_FAILED: {
    retryable: true,
    details: z.object({ provider: text, status: count.optional(), reason: text }),
  },
  PROVIDER_REFUSED: {
    retryable: false,
    details: z.object({ provider: text, status: count, reason: text }),
  },
  RATE_LIMITED: {
    retryable: true,
    details: z.object({ provider: text, resetAt: text.nullable() }),
  },
  REQUEST_SETTLED: {
    retryable: false,
    details: z.object({ requestId: text, outcome: text }),
  },
  RESUME_LOST: { retryable: false, details: z.object({ sessionId: text, reason: text }) },
  SESSION_BUSY: { retryable: true, details: z.object({ sessionId: text, turnId: text }) },
  SESSION_CLOSED: { retryable: false, details: z.object({ sessionId: text, state: text }) },
  SIDECAR_LOST: { retryable: true, details: z.object({ sidecarId: text, vmId: text.optional() }) },
  SIDECAR_NOT_FOUND: {
    retryable: false,
    details: z.object({ searched: z.array(text), install: text }),
  },
  SIDECAR_START_FAILED: {
    retryable: true,
    details: z.object({ reason: text, stderr: z.array(text) }),
  },
  SIDECAR_UNAVAILABLE: { retryable: false, details: z.object({ sidecarId: text, state: text }) },
  SNAPSHOT_FAILED: { retryable: true, details: z.object({ vmId: text, reason: text }) },
  TRANSFER_INTERRUPTED: { retryable: true, details: z.object({ path: text, reason: text }) },
  UNAUTHENTICATED: { retryable: false, details: z.object({ reason: text }) },
  UNKNOWN_DRIVER: { retryable: false, details: z.object({ driver: text, known: z.array(text) }) },
  UNKNOWN_METHOD: { retryable: false, details: z.object({ method: text }) },
  UNKNOWN_RUNTIME: {
    retryable: false,
    details: z.object({ runtime: text, known: z.array(text) }),
  },
  UNSUPPORTED: { retryable: false, details: z.object({ what: text, instead: text.optional() }) },
  UNSUPPORTED_LIMIT: {
    retryable: false,
    details: z.object({ limit: text, offered: text, reason: text }),
  },
  UNSUPPORTED_NODE: { retryable: false, details: z.object({ expected: text, actual: text }) },
  UNSUPPORTED_POLICY: {
    retryable: false,
    details: z.object({ runtime: text, rule: text, reason: text }),
  },
  VERSION_MISMATCH: {
    retryable: false,
    details: z.object({ offered: text, supported: text }),
  },
  VM_ENDED: { retryable: false, details: z.object({ vmId: text, reason: text }) },
  VM_START_FAILED: {
    retryable: true,
    details: z.object({ step: text, errno: text.optional() }),
  },
} as const satisfies Record<string, { retryable: boolean; details: z.ZodType }>;

export type ErrorCode = keyof typeof ERROR_CODES;

export type ErrorDetails<C extends ErrorCode = ErrorCode> = z.infer<
  (typeof ERROR_CODES)[C]["details"]
>;

/** Whether `value` is one of the codes of this build. */
export function isErrorCode(value: string): value is ErrorCode {
  return Object.hasOwn(ERROR_CODES, value);
}
