/** Lines of one text made into those of another. */
export interface LineEdit {
  readonly sign: " " | "-" | "+";
  readonly line: string;
}

/** Beyond so many changed lines the shortest way is not looked for. */
const MAX_EDITS = 1_000;

/** The edits that make `before` into `after`: few of them, after Myers. */
export function lineEdits(before: readonly string[], after: readonly string[]): LineEdit[] {
  const head = commonStart(before, after);
  const tail = commonEnd(before, after, head);
  const old = before.slice(head, before.length - tail);
  const now = after.slice(head, after.length - tail);
  return [
    ...signed(" ", before.slice(0, head)),
    ...(shortest(old, now) ?? [...signed("-", old), ...signed("+", now)]),
    ...signed(" ", before.slice(before.length - tail)),
  ];
}

/** By diagonal, how far into the old lines so many edits lead. */
type Furthest = ReadonlyMap<number, number>;

/** Undefined: there are too many. */
function shortest(old: readonly string[], now: readonly string[]): LineEdit[] | undefined {
  const most = Math.min(old.length + now.length, MAX_EDITS);
  const furthest = new Map<number, number>([[1, 0]]);
  const steps: Furthest[] = [];
  for (let edits = 0; edits <= most; edits++) {
    steps.push(new Map(furthest));
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const from = diagonalBefore(furthest, diagonal, edits);
      let x = (furthest.get(from) ?? 0) + (from < diagonal ? 1 : 0);
      while (x < old.length && x - diagonal < now.length && old[x] === now[x - diagonal]) x += 1;
      furthest.set(diagonal, x);
      if (x >= old.length && x - diagonal >= now.length) return trace(old, now, steps);
    }
  }
  return undefined;
}

/** The one above, from which a line was added, or the one below, from which one was removed. */
function diagonalBefore(furthest: Furthest, diagonal: number, edits: number): number {
  const below = furthest.get(diagonal - 1) ?? -1;
  const above = furthest.get(diagonal + 1) ?? -1;
  const isAdded = diagonal === -edits || (diagonal !== edits && below < above);
  return isAdded ? diagonal + 1 : diagonal - 1;
}

/** The way back from both ends. */
function trace(
  old: readonly string[],
  now: readonly string[],
  steps: readonly Furthest[],
): LineEdit[] {
  const back: LineEdit[] = [];
  let x = old.length;
  let y = now.length;
  for (const [edits, furthest] of [...steps.entries()].toReversed()) {
    const before = diagonalBefore(furthest, x - y, edits);
    const fromX = edits === 0 ? 0 : (furthest.get(before) ?? 0);
    const fromY = edits === 0 ? 0 : fromX - before;
    while (x > fromX && y > fromY) {
      x -= 1;
      y -= 1;
      back.push({ sign: " ", line: old[x] ?? "" });
    }
    if (edits === 0) break;
    if (x === fromX) back.push({ sign: "+", line: now[fromY] ?? "" });
    else back.push({ sign: "-", line: old[fromX] ?? "" });
    x = fromX;
    y = fromY;
  }
  return back.toReversed();
}

function commonStart(left: readonly string[], right: readonly string[]): number {
  const most = Math.min(left.length, right.length);
  let count = 0;
  while (count < most && left[count] === right[count]) count += 1;
  return count;
}

function commonEnd(left: readonly string[], right: readonly string[], head: number): number {
  const most = Math.min(left.length, right.length) - head;
  let count = 0;
  while (count < most && left.at(-1 - count) === right.at(-1 - count)) count += 1;
  return count;
}

function signed(sign: LineEdit["sign"], lines: readonly string[]): LineEdit[] {
  return lines.map((line) => ({ sign, line }));
}
