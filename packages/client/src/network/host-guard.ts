import type { Socket } from "node:net";

const HEADER_BYTES = 64 * 1024;
const END = "\r\n\r\n";
/** A request's first line, as far as it is there. */
const MAYBE_HTTP = /^[!#$%&'*+.^_`|~\w-]{1,32}(?:$| [^\r\n]*(?:\r?$|\r?\n))/;
const HTTP = /^\S+ \S+ HTTP\/1\.\d\r?\n/i;
const OWN_HOST = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i;

/** What a request with another host is answered. */
export const REFUSAL =
  "HTTP/1.1 421 Misdirected Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n" +
  "This port answers to localhost and 127.0.0.1 only.\n";

/**
 * The first bytes of a local connection, once they may pass: where they are an HTTP request, its one
 * `Host` has to be this machine's loopback, so that no web page reaches the VM by a name of its own.
 * Undefined: they may not.
 */
export async function acceptedStart(socket: Socket): Promise<Buffer | undefined> {
  let start = Buffer.alloc(0);
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- the bytes come one after the other
    const chunk = await nextChunk(socket);
    if (chunk === undefined) return isWhole(start) ? start : undefined;
    start = Buffer.concat([start, chunk]);
    const text = start.toString("latin1");
    const hasLine = text.includes("\n");
    if (!MAYBE_HTTP.test(text.slice(0, HEADER_BYTES)) || (hasLine && !HTTP.test(text)))
      return start;
    const end = text.indexOf(END);
    if (end !== -1) return hasOwnHost(text.slice(0, end)) ? start : undefined;
    if (start.byteLength >= HEADER_BYTES) return undefined;
  }
}

/** Whether what came before the end is no request that was cut off. */
function isWhole(start: Buffer): boolean {
  return !HTTP.test(start.toString("latin1"));
}

function hasOwnHost(header: string): boolean {
  const hosts = header
    .split("\r\n")
    .flatMap((line) => /^host\s*:\s*(.*?)\s*$/i.exec(line)?.[1] ?? []);
  return hosts.length === 1 && OWN_HOST.test(hosts[0] ?? "");
}

/** Undefined at its end. */
async function nextChunk(socket: Socket): Promise<Buffer | undefined> {
  for (;;) {
    const chunk: unknown = socket.read();
    if (Buffer.isBuffer(chunk)) return chunk;
    if (socket.readableEnded || socket.destroyed) return undefined;
    // oxlint-disable-next-line no-await-in-loop -- the bytes come one after the other
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        for (const event of ["readable", "end", "close"]) socket.off(event, wake);
        resolve();
      };
      for (const event of ["readable", "end", "close"]) socket.on(event, wake);
    });
  }
}
