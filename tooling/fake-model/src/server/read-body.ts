import type { IncomingMessage } from "node:http";

/** The largest body that is read; more is answered with 413. */
export const MAX_REQUEST_BYTES = 128 * 1024 * 1024;

/** The body of a request; undefined when it is too large. Rejects when the client goes away. */
export async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(piece)) continue;
    bytes += piece.length;
    if (bytes <= MAX_REQUEST_BYTES) pieces.push(piece);
  }
  return bytes > MAX_REQUEST_BYTES ? undefined : Buffer.concat(pieces).toString("utf8");
}
