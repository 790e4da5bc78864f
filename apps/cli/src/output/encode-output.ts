import { isUtf8 } from "node:buffer";

/** A piece of output inside a JSON line: text, or base64 where it is no UTF-8. */
export type EncodedOutput = { readonly text: string } | { readonly base64: string };

/** Cuts a byte stream into pieces for JSON lines without splitting a character or losing a byte. */
export class OutputEncoder {
  #rest: Buffer = Buffer.alloc(0);

  /** The next piece; undefined while only the start of a character is there. */
  push(bytes: Uint8Array): EncodedOutput | undefined {
    const all = Buffer.concat([this.#rest, bytes]);
    const end = all.length - unfinishedBytes(all);
    this.#rest = all.subarray(end);
    return encode(all.subarray(0, end));
  }

  /** What is left when the stream has ended. */
  end(): EncodedOutput | undefined {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    return encode(rest);
  }
}

function encode(bytes: Buffer): EncodedOutput | undefined {
  if (bytes.length === 0) return undefined;
  return isUtf8(bytes) ? { text: bytes.toString("utf8") } : { base64: bytes.toString("base64") };
}

/** How many bytes at the end begin a UTF-8 character that has not come whole. */
function unfinishedBytes(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte >= 0xc0) return characterLength(byte) > back ? back : 0;
    if (byte < 0x80) return 0;
  }
  return 0;
}

function characterLength(lead: number): number {
  if (lead >= 0xf0) return 4;
  return lead >= 0xe0 ? 3 : 2;
}
