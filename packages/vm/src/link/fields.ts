import { AgentOsError, FRAME_MAX_PAYLOAD_BYTES } from "@agentos/protocol";

import { violation } from "./violation.ts";

const HEADER_BYTES = 6;
const NUL = 0;

/** Writes a structured payload: `u16 tag, u32 length, value` per field. */
export class FieldWriter {
  readonly #parts: Uint8Array[] = [];
  #bytes = 0;

  /** Throws `FRAME_TOO_LARGE` where the payload would no longer fit a frame. */
  bytes(tag: number, ...values: readonly Uint8Array[]): this {
    const length = values.reduce((sum, value) => sum + value.byteLength, 0);
    this.#bytes += HEADER_BYTES + length;
    if (this.#bytes > FRAME_MAX_PAYLOAD_BYTES) throw tooLarge(this.#bytes);
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    header.writeUInt16LE(tag, 0);
    header.writeUInt32LE(length, 2);
    this.#parts.push(header, ...values);
    return this;
  }

  u8(tag: number, value: number): this {
    return this.bytes(tag, u8(value));
  }

  u32(tag: number, value: number): this {
    return this.bytes(tag, u32(value));
  }

  u64(tag: number, value: number): this {
    return this.bytes(tag, u64(value));
  }

  /** Throws `INVALID_ARGUMENT` for a text with a NUL. */
  text(tag: number, value: string): this {
    return this.bytes(tag, plain(value));
  }

  /** Two strings with a NUL between them, after `prefix`. The second may hold any bytes. */
  pair(tag: number, first: string, second: string | Uint8Array, ...prefix: Uint8Array[]): this {
    const last = typeof second === "string" ? plain(second) : second;
    return this.bytes(tag, ...prefix, plain(first), Uint8Array.of(NUL), last);
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#parts, this.#bytes);
  }
}

/** The four bytes of a number. */
export function u32(value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** The eight bytes of a safe integer. */
export function u64(value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** The one byte of a number. */
export function u8(value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(1);
  bytes.writeUInt8(value);
  return bytes;
}

/** The fields of `payload`, each at most once and each one of `known`; throws `PROTOCOL_ERROR`. */
export function readFields(
  payload: Uint8Array,
  known: readonly number[],
): ReadonlyMap<number, Uint8Array> {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const fields = new Map<number, Uint8Array>();
  let at = 0;
  while (at < payload.byteLength) {
    if (payload.byteLength - at < HEADER_BYTES) throw violation("a field's header is cut");
    const tag = view.getUint16(at, true);
    const length = view.getUint32(at + 2, true);
    at += HEADER_BYTES;
    if (length > payload.byteLength - at) throw violation(`field ${tag} is cut`);
    if (!known.includes(tag)) throw violation(`unexpected field ${tag}`);
    if (fields.has(tag)) throw violation(`field ${tag} came twice`);
    fields.set(tag, payload.subarray(at, at + length));
    at += length;
  }
  return fields;
}

function plain(value: string): Uint8Array {
  if (!value.includes("\0")) return Buffer.from(value);
  throw new AgentOsError("INVALID_ARGUMENT", "expected a text without NUL", {
    argument: "text",
    expected: "a text without NUL",
    actual: JSON.stringify(value.slice(0, 80)),
  });
}

function tooLarge(actual: number): AgentOsError<"FRAME_TOO_LARGE"> {
  return new AgentOsError(
    "FRAME_TOO_LARGE",
    `expected a payload of at most ${FRAME_MAX_PAYLOAD_BYTES} bytes, got ${actual} or more`,
    { limit: FRAME_MAX_PAYLOAD_BYTES, actual },
  );
}
