import type { RuntimeEvent } from "@agentos/core";
import type { Json } from "@agentos/protocol";

import type { Line } from "./line-splitter.ts";

/** A line of an agent's stdout. */
export type AgentLine =
  | { readonly kind: "json"; readonly value: Json; readonly text: string }
  /** No JSON: kept as it is, and the agent goes on. */
  | { readonly kind: "text"; readonly text: string }
  | Extract<Line, { kind: "cut" }>;

export function parseLine(line: Line): AgentLine {
  if (line.kind === "cut") return line;
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- What JSON.parse gives is JSON.
    return { kind: "json", value: JSON.parse(line.text) as Json, text: line.text };
  } catch {
    return { kind: "text", text: line.text };
  }
}

/** The line as the transcript keeps it, for audit. */
export function rawEvent(line: AgentLine): Extract<RuntimeEvent, { type: "raw" }> {
  return { type: "raw", source: "stdout", value: rawValue(line) };
}

function rawValue(line: AgentLine): Json {
  if (line.kind === "json") return line.value;
  if (line.kind === "text") return line.text;
  return { cut: true, bytes: line.bytes, head: line.head };
}
