import { structuredPatch, type StructuredPatchHunk } from "diff";

import { NO_FILE, type PatchSide } from "./patch-side.ts";

/** Lines around a change. */
const CONTEXT = 3;
/** Beyond so many changed lines the shortest way is not looked for. */
const MAX_EDITS = 1_000;
/** Of a mode as git writes it, what kind of file it is of. */
const KIND_LENGTH = 3;

/** A file's part of a unified patch, as git makes and takes it. Of bytes that are no text only the name is in it. */
export function filePatch(path: string, before: PatchSide, after: PatchSide): string {
  if (before.mode === undefined && after.mode === undefined) return "";
  // A file that became a link is removed and made.
  if (kindOf(before) !== kindOf(after) && before.mode !== undefined && after.mode !== undefined)
    return filePatch(path, before, NO_FILE) + filePatch(path, NO_FILE, after);
  const name = path.replace(/^\//, "");
  const head = [
    `diff --git ${quoted(`a/${name}`)} ${quoted(`b/${name}`)}`,
    ...modeLines(before, after),
  ];
  const old = textOf(before.bytes);
  const now = textOf(after.bytes);
  const oldName = before.bytes === undefined ? "/dev/null" : quoted(`a/${name}`);
  const newName = after.bytes === undefined ? "/dev/null" : quoted(`b/${name}`);
  if (old === undefined || now === undefined)
    return lines([...head, `Binary files ${oldName} and ${newName} differ`]);
  const hunks = hunksOf(old, now);
  if (hunks.length === 0) return lines(head);
  // As git does, so that a name's spaces can be told from what may follow it.
  const tab = name.includes(" ") ? "\t" : "";
  const mark = (text: string): string => (text === "/dev/null" ? text : `${text}${tab}`);
  return lines([...head, `--- ${mark(oldName)}`, `+++ ${mark(newName)}`, ...hunks]);
}

function kindOf({ mode }: PatchSide): string | undefined {
  return mode?.slice(0, KIND_LENGTH);
}

function modeLines(before: PatchSide, after: PatchSide): string[] {
  if (before.mode === undefined) return [`new file mode ${after.mode ?? ""}`];
  if (after.mode === undefined) return [`deleted file mode ${before.mode}`];
  if (before.mode === after.mode) return [];
  return [`old mode ${before.mode}`, `new mode ${after.mode}`];
}

/** A name with control characters, quotes or backslashes as git writes it: no line of a patch can be made up by one. */
function quoted(name: string): string {
  // oxlint-disable-next-line no-control-regex -- Those are what is looked for.
  const special = /[\u0000-\u001f\u007f"\\]/g;
  if (!special.test(name)) return name;
  const text = name.replaceAll(special, (character) =>
    character === '"' || character === "\\"
      ? `\\${character}`
      : `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
  return `"${text}"`;
}

/** Undefined: it is no text. */
function textOf(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return "";
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** None where both are the same. */
function hunksOf(old: string, now: string): string[] {
  if (old === now) return [];
  const options = { context: CONTEXT, maxEditLength: MAX_EDITS };
  const patch = structuredPatch("", "", old, now, undefined, undefined, options);
  const hunks = patch?.hunks ?? [wholeHunk(old, now)];
  return hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines: text }) => [
    `@@ -${range(oldStart, oldLines)} +${range(newStart, newLines)} @@`,
    ...text,
  ]);
}

/** All lines out, all lines in. */
function wholeHunk(old: string, now: string): StructuredPatchHunk {
  const [removed, added] = [marked("-", old), marked("+", now)];
  const [oldLines, newLines] = [lineCount(old), lineCount(now)];
  return { oldStart: 1, oldLines, newStart: 1, newLines, lines: [...removed, ...added] };
}

function marked(sign: string, text: string): string[] {
  if (text === "") return [];
  const all = text.split("\n").map((line) => `${sign}${line}`);
  return text.endsWith("\n") ? all.slice(0, -1) : [...all, "\\ No newline at end of file"];
}

function lineCount(text: string): number {
  return text.split("\n").length - (text === "" || text.endsWith("\n") ? 1 : 0);
}

/** Where a side has no lines, they would come after the line before. */
function range(line: number, count: number): string {
  return `${count === 0 ? line - 1 : line},${count}`;
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join("");
}
