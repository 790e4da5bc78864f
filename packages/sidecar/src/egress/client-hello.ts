/** What the first bytes towards a server say of whom they are for. */
export type FirstBytes =
  /** More are needed to tell. */
  | { readonly kind: "unfinished" }
  | { readonly kind: "other" }
  /** TLS. `name` is undefined where it names nobody. */
  | { readonly kind: "tls"; readonly name: string | undefined }
  /** TLS that can't be understood. */
  | { readonly kind: "malformed" };

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
/** A longer first message is refused. */
const MAX_HELLO_BYTES = 64 * 1024;

/** Reads on in a message, and fails past its end. */
class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.byteLength;
  }

  number(length: 1 | 2 | 3): number {
    return this.bytes(length).readUIntBE(0, length);
  }

  bytes(length: number): Buffer {
    if (this.#at + length > this.#bytes.byteLength) throw new RangeError("cut");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

/** Looks for the server's name in a TLS ClientHello, over as many records as it has. */
export function readFirstBytes(bytes: Buffer): FirstBytes {
  if (bytes.byteLength === 0) return { kind: "unfinished" };
  if (bytes[0] !== HANDSHAKE) return { kind: "other" };
  if (bytes.byteLength > MAX_HELLO_BYTES) return { kind: "malformed" };
  const message: Buffer[] = [];
  for (let at = 0; at < bytes.byteLength;) {
    if (bytes.byteLength - at < 5) return { kind: "unfinished" };
    if (bytes[at] !== HANDSHAKE || bytes[at + 1] !== 3) return { kind: "malformed" };
    const length = bytes.readUInt16BE(at + 3);
    message.push(bytes.subarray(at + 5, at + 5 + length));
    const hello = helloOf(Buffer.concat(message));
    if (hello !== undefined) return readHello(hello);
    at += 5 + length;
  }
  return { kind: "unfinished" };
}

/** The whole message; undefined while it is not there. */
function helloOf(message: Buffer): Buffer | undefined {
  if (message.byteLength < 4) return undefined;
  const length = message.readUIntBE(1, 3);
  return message.byteLength < 4 + length ? undefined : message.subarray(0, 4 + length);
}

function readHello(hello: Buffer): FirstBytes {
  try {
    const cursor = new Cursor(hello);
    if (cursor.number(1) !== CLIENT_HELLO) return { kind: "malformed" };
    cursor.number(3);
    cursor.bytes(2 + 32);
    cursor.bytes(cursor.number(1));
    cursor.bytes(cursor.number(2));
    cursor.bytes(cursor.number(1));
    if (cursor.isAtEnd) return { kind: "tls", name: undefined };
    const extensions = new Cursor(cursor.bytes(cursor.number(2)));
    const names: string[] = [];
    while (!extensions.isAtEnd) {
      const type = extensions.number(2);
      const content = extensions.bytes(extensions.number(2));
      if (type === SERVER_NAME) names.push(...namesOf(content));
    }
    if (names.length > 1) return { kind: "malformed" };
    return { kind: "tls", name: names[0] };
  } catch {
    // Cut within itself.
    return { kind: "malformed" };
  }
}

function namesOf(content: Buffer): string[] {
  const outer = new Cursor(content);
  const list = new Cursor(outer.bytes(outer.number(2)));
  const names: string[] = [];
  while (!list.isAtEnd) {
    const type = list.number(1);
    const name = list.bytes(list.number(2)).toString("latin1");
    if (type === HOST_NAME) names.push(name);
  }
  return names;
}
