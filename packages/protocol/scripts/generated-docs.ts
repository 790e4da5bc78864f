import {
  DEFAULTS,
  ERROR_CODES,
  ERROR_TEXTS,
  EVENTS,
  FRAME_KIND,
  isErrorCode,
  METHODS,
} from "../src/index.ts";
import { DEFAULT_TEXTS } from "./default-texts.ts";
import { FRAME_TEXTS } from "./frame-texts.ts";
import { NAMED_SCHEMAS, notationOf, structureOf } from "./schema-notation.ts";

const NOT_ON_THE_WIRE: ReadonlySet<string> = new Set([
  "DiscoveryFile",
  "ListenAddress",
  "Placement",
  "SidecarDescription",
  "SidecarState",
  "StartReply",
  "StartRequest",
]);

/** The generated sections of the pages under docs/, by file name and section name. */
export const GENERATED_DOCS: Readonly<Record<string, Readonly<Record<string, () => string>>>> = {
  "protocol.md": { methods, events, frames, types },
  "errors.md": { codes },
  "defaults.md": { defaults },
};

/** `page` with the text between its markers replaced by what the code says. Throws where a marker is missing. */
export function withGenerated(
  page: string,
  sections: Readonly<Record<string, () => string>>,
): string {
  let text = page;
  for (const [name, render] of Object.entries(sections)) {
    const begin = `<!-- begin generated: ${name} -->`;
    const end = `<!-- end generated: ${name} -->`;
    const from = text.indexOf(begin);
    const to = text.indexOf(end);
    if (from === -1 || to < from) throw new Error(`expected the markers of ${name} in the page`);
    text = `${text.slice(0, from + begin.length)}\n\n${render()}\n\n${text.slice(to)}`;
  }
  return text;
}

function methods(): string {
  const rows = Object.entries(METHODS).map(([name, method]) => [
    code(name),
    method.scope,
    method.summary,
    code(notationOf(method.params)),
    code(notationOf(method.result)),
  ]);
  return table(["method", "scope", "what it does", "params", "result"], rows);
}

function events(): string {
  const rows = Object.entries(EVENTS).map(([name, event]) => [
    code(name),
    event.summary,
    code(notationOf(event.data)),
  ]);
  return table(["event", "when", "data"], rows);
}

function frames(): string {
  const texts = Object.entries(FRAME_TEXTS);
  const rows = Object.entries(FRAME_KIND).map(([name, kind]) => {
    const text = texts.find(([key]) => key === name)?.[1];
    const hex = `0x${kind.toString(16).padStart(2, "0")}`;
    return [hex, name, text?.from ?? "", text?.payload ?? "", text?.meaning ?? ""];
  });
  return table(["kind", "name", "sent by", "payload", "meaning"], rows);
}

function types(): string {
  const rows = NAMED_SCHEMAS.filter(([name]) => !NOT_ON_THE_WIRE.has(name))
    .toSorted(([a], [b]) => a.localeCompare(b, "en"))
    .map(([name, schema]) => [code(name), code(structureOf(schema))]);
  return table(["type", "structure"], rows);
}

function codes(): string {
  return Object.keys(ERROR_CODES)
    .filter(isErrorCode)
    .map((name) => {
      const { when, remedy } = ERROR_TEXTS[name];
      const { retryable, details } = ERROR_CODES[name];
      const facts = `Retryable: ${retryable ? "yes" : "no"}. Details: ${code(notationOf(details))}`;
      return `### ${name}\n\n${when}\n\nWhat to do: ${remedy}\n\n${facts}`;
    })
    .join("\n\n");
}

function defaults(): string {
  const texts = Object.entries(DEFAULT_TEXTS);
  const rows = Object.entries(DEFAULTS).map(([name, value]) => {
    const text = texts.find(([key]) => key === name)?.[1] ?? "";
    return [code(name), amount(name, value), text];
  });
  return table(["name", "default", "meaning"], rows);
}

function amount(name: string, value: number): string {
  if (name.endsWith("Ms")) return duration(value);
  if (name.endsWith("Bytes")) return size(value);
  return value.toLocaleString("en");
}

function duration(ms: number): string {
  if (ms >= 60_000 && ms % 60_000 === 0) return `${ms / 60_000} min`;
  return ms % 1_000 === 0 ? `${ms / 1_000} s` : `${ms} ms`;
}

function size(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  const power = units.findLastIndex((_, index) => bytes % 1024 ** index === 0);
  return `${bytes / 1024 ** power} ${units[power] ?? ""}`;
}

function code(text: string): string {
  return `\`${text}\``;
}

/** A table with aligned columns, as the formatter leaves it. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = head.map((_, column) =>
    Math.max(3, ...all.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const [first = [], ...rest] = all;
  const rule = line(widths.map((width) => "-".repeat(width)));
  return [line(first), rule, ...rest.map(line)].join("\n");
}
