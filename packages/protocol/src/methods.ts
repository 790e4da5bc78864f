import type * as z from "zod";

import { FILE_METHODS } from "./file-methods.ts";
import { NETWORK_METHODS } from "./network-methods.ts";
import { PROCESS_METHODS } from "./process-methods.ts";
import { RELAY_METHODS } from "./relay/relay-methods.ts";
import { SESSION_METHODS } from "./session/session-methods.ts";
import { SIDECAR_METHODS } from "./sidecar-methods.ts";
import { SNAPSHOT_METHODS } from "./snapshot-methods.ts";
import { TERMINAL_METHODS } from "./terminal-methods.ts";
import { VM_METHODS } from "./vm-methods.ts";
import { WORKFLOW_METHODS } from "./workflow/workflow-methods.ts";

/**
 * Every method of the wire. `scope` is what the caller must hold; `summary` goes into
 * docs/protocol.md. Both ends take types and validation from here.
 */
export const METHODS = {
  ...SIDECAR_METHODS,
  ...VM_METHODS,
  ...SNAPSHOT_METHODS,
  ...PROCESS_METHODS,
  ...TERMINAL_METHODS,
  ...FILE_METHODS,
  ...NETWORK_METHODS,
  ...SESSION_METHODS,
  ...WORKFLOW_METHODS,
  ...RELAY_METHODS,
} as const satisfies Record<string, Method>;

interface Method {
  /** `client`: asked by the sidecar. */
  scope: "connection" | "user" | "lease" | "vm" | "client";
  summary: string;
  params: z.ZodType;
  result: z.ZodType;
}

export type MethodName = keyof typeof METHODS;
/** What a caller passes. */
export type MethodParams<M extends MethodName> = z.input<(typeof METHODS)[M]["params"]>;
/** What a handler gets, parsed. */
export type ParsedParams<M extends MethodName> = z.output<(typeof METHODS)[M]["params"]>;
export type MethodResult<M extends MethodName> = z.output<(typeof METHODS)[M]["result"]>;

/** Whether `value` names a method of this build. */
export function isMethodName(value: string): value is MethodName {
  return Object.hasOwn(METHODS, value);
}
