/** One entry of a made-up archive. */
export interface Member {
  readonly name: string;
  readonly content?: Uint8Array;
  /** The header's type. Default: a file. */
  readonly type?: string;
  readonly target?: string;
  readonly mode?: number;
}

const BLOCK = 512;

/** A tar archive of these entries, whatever they are. */
export function tarOf(members: readonly Member[]): Buffer {
  const parts = members.flatMap(({ content = new Uint8Array(), ...member }) => {
    const padding = Buffer.alloc((BLOCK - (content.byteLength % BLOCK)) % BLOCK);
    return [headerOf(member, content.byteLength), content, padding];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function headerOf({ name, type = "0", target = "", mode = 0o644 }: Member, size: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0);
  header.write(mode.toString(8).padStart(7, "0"), 100);
  header.write(size.toString(8).padStart(11, "0"), 124);
  header.write("0".repeat(11), 136);
  header.write(" ".repeat(8), 148);
  header.write(type, 156);
  header.write(target, 157);
  header.write("ustar\u000000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(sum.toString(8).padStart(6, "0"), 148);
  header[154] = 0;
  return header;
}
