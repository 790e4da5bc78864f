import { type LineEdit, lineEdits } from "./line-edits.ts";

const CONTEXT = 3;
/** Of a mode as git writes it, what kind of file it is of. */
const KIND_LENGTH = 3;

/** What a patch says of one side: its bytes, or undefined where there is no file. */
export interface PatchSide {
  readonly bytes: Uint8Array | undefined;
  /** As git writes it, such as 100644. */
  readonly mode: string | undefined;
}

export const NO_FILE: PatchSide = { bytes: undefined, mode: undefined };

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
  const hunks = hunksOf(lineEdits(linesOf(old), linesOf(now)));
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

/** Each with its end, so that a missing one at the end of the file is a difference. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function hunksOf(edits: readonly LineEdit[]): string[] {
  const hunks: string[] = [];
  let oldLine = 1;
  let newLine = 1;
  for (const [at, edit] of edits.entries()) {
    if (edit.sign !== " " && !isCovered(edits, at)) {
      const from = Math.max(0, at - CONTEXT);
      hunks.push(...hunk(edits, from, oldLine - (at - from), newLine - (at - from)));
    }
    if (edit.sign !== "+") oldLine += 1;
    if (edit.sign !== "-") newLine += 1;
  }
  return hunks;
}

/** Whether a change before it is near enough for one hunk. */
function isCovered(edits: readonly LineEdit[], at: number): boolean {
  return edits.slice(Math.max(0, at - 2 * CONTEXT), at).some(({ sign }) => sign !== " ");
}

function hunk(
  edits: readonly LineEdit[],
  from: number,
  oldLine: number,
  newLine: number,
): string[] {
  const part = edits.slice(from, hunkEnd(edits, from));
  const old = part.filter(({ sign }) => sign !== "+").length;
  const now = part.filter(({ sign }) => sign !== "-").length;
  return [
    `@@ -${range(oldLine, old)} +${range(newLine, now)} @@`,
    ...part.flatMap(({ sign, line }) =>
      line.endsWith("\n")
        ? [`${sign}${line.slice(0, -1)}`]
        : [`${sign}${line}`, "\\ No newline at end of file"],
    ),
  ];
}

function range(line: number, count: number): string {
  return `${count === 0 ? line - 1 : line},${count}`;
}

/** Behind the lines that follow the last change that belongs to it. */
function hunkEnd(edits: readonly LineEdit[], from: number): number {
  let last = from;
  for (let at = from; at < edits.length && at - last <= 2 * CONTEXT; at++)
    if (edits[at]?.sign !== " ") last = at;
  return Math.min(edits.length, last + CONTEXT + 1);
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join("");
}
