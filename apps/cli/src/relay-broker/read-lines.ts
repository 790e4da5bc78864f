/** Bytes of one request. */
const REQUEST_BYTES = 16 * 1024 * 1024 + 64 * 1024;

/** A line, or `undefined` for one that was longer than may be. */
export type Line = string | undefined;

/** The lines of a stream; the end of one that is too long is skipped, and nothing of it kept. */
export async function* readLines(stream: AsyncIterable<unknown>): AsyncGenerator<Line, void> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    let rest = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
      const isTooLong = bytes + end > REQUEST_BYTES;
      yield isTooLong
        ? undefined
        : Buffer.concat([...parts, rest.subarray(0, end)]).toString("utf8");
      parts = [];
      bytes = 0;
      rest = rest.subarray(end + 1);
    }
    bytes += rest.byteLength;
    if (bytes > REQUEST_BYTES) parts = [];
    else if (rest.byteLength > 0) parts.push(rest);
  }
  if (bytes > 0 && bytes <= REQUEST_BYTES) yield Buffer.concat(parts).toString("utf8");
}
