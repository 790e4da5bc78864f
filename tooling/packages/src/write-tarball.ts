import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

const BLOCK_BYTES = 512;
/** Of a name in a header; what is longer goes on in the prefix. */
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
const CHECKSUM = { offset: 148, bytes: 8 };

/** Writes the files of a folder as npm packs them: regular files below `package/`, without node_modules. `tar` would write pnpm's files of the same content as hard links, which npm leaves out. */
export async function writeTarball(folder: string, destination: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !relative(folder, path).split(sep).includes("node_modules"))
    .toSorted();
  const parts = await Promise.all(paths.map(async (path) => fileParts(folder, path)));
  const end = Buffer.alloc(2 * BLOCK_BYTES);
  // Nobody keeps it: quick is better than small.
  const packed = await promisify(gzip)(Buffer.concat([...parts.flat(), end]), { level: 1 });
  await writeFile(destination, packed);
}

async function fileParts(folder: string, path: string): Promise<Buffer[]> {
  const [content, { mode }] = await Promise.all([readFile(path), stat(path)]);
  const name = ["package", ...relative(folder, path).split(sep)].join("/");
  const padding = (BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES;
  return [header(name, mode & 0o777, content.length), content, Buffer.alloc(padding)];
}

/** A header of a regular file, as POSIX ustar has it. */
function header(path: string, mode: number, bytes: number): Buffer {
  const { name, prefix } = splitName(path);
  const block = Buffer.alloc(BLOCK_BYTES);
  block.write(name, 0);
  block.write(octal(mode, 8), 100);
  block.write(octal(0, 8), 108);
  block.write(octal(0, 8), 116);
  block.write(octal(bytes, 12), 124);
  block.write(octal(0, 12), 136);
  block.fill(" ", CHECKSUM.offset, CHECKSUM.offset + CHECKSUM.bytes);
  block.write("0", 156);
  block.write("ustar\u000000", 257);
  block.write(prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, CHECKSUM.offset);
  return block;
}

function splitName(path: string): { name: string; prefix: string } {
  if (Buffer.byteLength(path) <= NAME_BYTES) return { name: path, prefix: "" };
  const cuts = [...path.matchAll(/\//g)].map(({ index }) => index);
  const cut = cuts.find((index) => Buffer.byteLength(path.slice(index + 1)) <= NAME_BYTES);
  if (cut === undefined || Buffer.byteLength(path.slice(0, cut)) > PREFIX_BYTES)
    throw new Error(`the name is too long for a tarball: ${path}`);
  return { name: path.slice(cut + 1), prefix: path.slice(0, cut) };
}

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, "0")}\0`;
}
