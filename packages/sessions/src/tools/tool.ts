import type { ContentPart, ErrorCode, Json, ToolCall, ToolInfo } from "@agentos/protocol";

import type { ToolTurn } from "../tool-desk.ts";

/** What a tool gave; too long content is cut by the desk. */
export interface ToolOutput {
  readonly content: readonly ContentPart[];
  readonly isError?: boolean;
  /** Of the error that it failed with. */
  readonly code?: ErrorCode;
}

/** A tool as the desk runs it, wherever it comes from. */
export interface Tool {
  readonly info: ToolInfo;
  /** The input, checked and with its defaults. Throws `INVALID_ARGUMENT`. */
  parse(input: Json): Json;
  /** The paths of the VM that a call touches: workspaces and mounts are judged by them. */
  paths(input: Json): readonly TouchedPath[];
  /** Throws where the VM itself would refuse the call, whatever a policy or a person says. */
  assertPossible?(input: Json): void;
  run(call: ToolCall, turn: ToolTurn): Promise<ToolOutput>;
}

export interface TouchedPath {
  readonly path: string;
  readonly writes: boolean;
}

/** Plain text as a tool's output. */
export function textOutput(text: string): ToolOutput {
  return { content: [{ type: "text", text }] };
}

/** The same, of a tool that did not do what it was asked. */
export function failedOutput(text: string, code?: ErrorCode): ToolOutput {
  const content = [{ type: "text" as const, text }];
  return { content, isError: true, ...(code === undefined ? {} : { code }) };
}
