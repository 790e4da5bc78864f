import type { ToolCall } from "@agentos/client";

import { type DiffLine, diffLines } from "../output/diff.ts";

/** Longest argument in a title. */
const SHOWN_CHARACTERS = 100;
/** The fields that say most of a call, in the order in which they are looked for. */
const TELLING = ["command", "path", "pattern", "url", "prompt", "query"] as const;

/** A call in one line, and what it changes in a file. */
export function describeCall(call: ToolCall): { title: string; lines: readonly DiffLine[] } {
  const { name, server, input } = call;
  const full = server === undefined ? name : `${server}/${name}`;
  const fields = typeof input === "object" && input !== null && !Array.isArray(input) ? input : {};
  const telling = TELLING.map((field) => fields[field]).find((value) => typeof value === "string");
  const title = typeof telling === "string" ? `${full} ${short(telling)}` : full;
  const { old_text: before, new_text: after } = fields;
  const isEdit = typeof before === "string" && typeof after === "string";
  const lines = isEdit ? diffLines(before, after).filter(({ sign }) => sign !== " ") : [];
  return { title, lines };
}

function short(text: string): string {
  const line = text.replaceAll(/\s*\n\s*/g, "; ");
  return line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS - 1)}…` : line;
}
