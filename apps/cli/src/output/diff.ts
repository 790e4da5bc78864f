const CONTEXT_LINES = 2;

/** A line of a diff: kept, removed or added. */
export interface DiffLine {
  readonly sign: " " | "-" | "+";
  readonly text: string;
}

/** The one stretch in which two texts differ, with two lines around it. */
export function diffLines(before: string, after: string): DiffLine[] {
  const old = linesOf(before);
  const now = linesOf(after);
  const head = commonLength(old, now);
  if (head === old.length && head === now.length) return [];
  const most = Math.min(old.length, now.length) - head;
  const tail = Math.min(most, commonLength(old.toReversed(), now.toReversed()));
  const sign = (lines: readonly string[], mark: DiffLine["sign"]) =>
    lines.map((text) => ({ sign: mark, text }));
  return [
    ...sign(old.slice(Math.max(0, head - CONTEXT_LINES), head), " "),
    ...sign(old.slice(head, old.length - tail), "-"),
    ...sign(now.slice(head, now.length - tail), "+"),
    ...sign(old.slice(old.length - tail, old.length - tail + CONTEXT_LINES), " "),
  ];
}

function linesOf(text: string): string[] {
  const lines = text.split("\n");
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}

function commonLength(left: readonly string[], right: readonly string[]): number {
  const index = left.findIndex((line, at) => line !== right[at]);
  return index === -1 ? Math.min(left.length, right.length) : index;
}
