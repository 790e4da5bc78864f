import * as z from "zod";

type Row = Record<string, unknown>;

const Text = z.object({ text: z.string() });

/** As many as have room, but one where there is one. */
export function rowsWithin<T>(
  rows: Iterable<Row>,
  maxBytes: number,
  read: (row: Row) => { value: T; bytes: number },
): T[] {
  const found: T[] = [];
  let sum = 0;
  for (const row of rows) {
    const { value, bytes } = read(row);
    sum += bytes;
    if (found.length > 0 && sum > maxBytes) break;
    found.push(value);
  }
  return found;
}

/** The column `text` of as many rows as have room. */
export function textsWithin(rows: Iterable<Row>, maxBytes: number): string[] {
  return rowsWithin(rows, maxBytes, (row) => {
    const { text } = Text.parse(row);
    return { value: text, bytes: Buffer.byteLength(text) };
  });
}
