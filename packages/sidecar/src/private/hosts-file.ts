import { posix } from "node:path";

import type { VmFiles } from "@agentos/core";
import { AgentOsError, DEFAULTS, readAll, writeAll } from "@agentos/protocol";

const HOSTS = "/etc/hosts";
const BEGIN = "# private network\n";
const END = "# end of the private network\n";
/** What a guest makes of it is read no further. */
const MAX_BYTES = 64 * 1024;
const FILE_MODE = 0o644;

/** Puts a private network's names into a VM's list of hosts, in the place of those before; the other lines stay. */
export async function writeHosts(files: VmFiles, names: string): Promise<void> {
  const path = await files.realpath(HOSTS);
  const text = (await read(files, path)).toString("utf8");
  const at = text.indexOf(BEGIN);
  const end = text.indexOf(END, at);
  const others = at === -1 || end === -1 ? text : text.slice(0, at) + text.slice(end + END.length);
  const next = names === "" ? others : `${others}${BEGIN}${names}${END}`;
  // Whoever reads meanwhile has the one or the other.
  const written = `${posix.dirname(path)}/.hosts.new`;
  await write(files, written, Buffer.from(next));
  await files.rename(written, path);
}

async function read(files: VmFiles, path: string): Promise<Buffer> {
  const windowBytes = DEFAULTS.transferWindowBytes;
  const { bytes } = await readAll(
    (reader) => files.read({ path, start: 0, length: MAX_BYTES, windowBytes }, reader),
    ({ stat }) => {
      if (stat.size > MAX_BYTES) throw tooLong(path, stat.size);
    },
  );
  return bytes;
}

async function write(files: VmFiles, path: string, bytes: Buffer): Promise<void> {
  const windowBytes = DEFAULTS.streamWindowBytes;
  await writeAll(bytes, (sink) =>
    files.write({ path, how: "truncate", mode: FILE_MODE, start: 0, windowBytes }, sink),
  );
}

function tooLong(path: string, actual: number): AgentOsError<"INVALID_ARGUMENT"> {
  const expected = `at most ${MAX_BYTES} bytes`;
  const details = { argument: path, expected, actual: `${actual} bytes` };
  const message = `${path}: expected ${expected}, got ${actual}`;
  return new AgentOsError("INVALID_ARGUMENT", message, details);
}
