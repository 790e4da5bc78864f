import type { Writable } from "node:stream";

import { CONTROL, unicodeEscape } from "./printable.ts";

/** Writes and waits until the bytes have left, so that a slow reader costs no memory here. Rejects with EPIPE where nobody reads. */
export async function write(
  stream: Writable,
  bytes: Uint8Array | string,
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  const written = Promise.withResolvers<void>();
  const abort = () => written.reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  stream.write(bytes, (error) => (error ? written.reject(error) : written.resolve()));
  try {
    await written.promise;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** One JSON document on one line, which a terminal shows and never obeys. */
export async function writeJson(
  stream: Writable,
  value: unknown,
  signal?: AbortSignal,
): Promise<void> {
  // Control characters are only ever inside its strings.
  const text = JSON.stringify(value).replace(CONTROL, unicodeEscape);
  await write(stream, `${text}\n`, signal);
}

/** Resolves when everything written so far has left this process. */
export async function flush(stream: Writable): Promise<void> {
  if (stream.destroyed || stream.writableEnded) return;
  await new Promise<void>((resolve) => {
    // A stream that broke has nothing left to flush.
    stream.write("", () => resolve());
  });
}
