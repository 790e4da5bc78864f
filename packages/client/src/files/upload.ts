import { createReadStream, type Stats } from "node:fs";
import { lstat, readdir, readFile, readlink, realpath } from "node:fs/promises";
import { join } from "node:path";

import { type FileType, isAgentOsError } from "@agentos/protocol";

import type { TransferOptions } from "./file-options.ts";
import { emptyTransfer, type TransferResult } from "./transfer-result.ts";
import { TransferQueue } from "./transfer-queue.ts";
import type { VmFiles } from "./vm-files.ts";

/** Permission bits that go over; set-user-id and the like stay behind. */
const MODE_MASK = 0o777;
/** Up to this size a file is read in one piece. */
const WHOLE_FILE_BYTES = 256 * 1024;
const OWNER_BITS = 0o700;

interface Upload {
  files: VmFiles;
  queue: TransferQueue;
  options: TransferOptions;
  result: TransferResult;
}

/** Copies a file or a tree of the host into a VM. A link named at the top is followed, those below are kept. */
export async function upload(
  files: VmFiles,
  hostPath: string,
  vmPath: string,
  options: TransferOptions,
): Promise<TransferResult> {
  const queue = new TransferQueue(options.signal);
  const state: Upload = { files, queue, options, result: emptyTransfer() };
  try {
    const source = await realpath(hostPath);
    const deferred = await uploadEntry(state, source, vmPath, "", await lstat(source));
    await queue.finish();
    // Deepest first, once nothing is to be made below them any more.
    for (const chmod of deferred.toReversed()) await chmod();
    return state.result;
  } catch (error) {
    await queue.abandon();
    throw error;
  }
}

type Deferred = (() => Promise<void>)[];

async function uploadEntry(
  state: Upload,
  source: string,
  target: string,
  below: string,
  stat: Stats,
): Promise<Deferred> {
  const { files, queue, options, result } = state;
  if (below !== "" && options.exclude?.(below) === true) return [];
  queue.assertGoing();
  if (stat.isDirectory()) return await uploadDirectory(state, source, target, below, stat);
  if (stat.isSymbolicLink()) {
    await replaceLink(files, await readlink(source), target);
    result.links += 1;
  } else if (stat.isFile()) await queue.add(() => uploadFile(state, source, target, stat));
  else result.skipped.push({ path: source, type: typeOf(stat) });
  return [];
}

async function uploadDirectory(
  state: Upload,
  source: string,
  target: string,
  below: string,
  stat: Stats,
): Promise<Deferred> {
  const { files, result } = state;
  const mode = stat.mode & MODE_MASK;
  await files.mkdir(target, { recursive: true, mode: mode | OWNER_BITS });
  result.directories += 1;
  // The directory may have existed, and it stays writable until its content is there.
  const deferred: Deferred = [() => files.chmod(target, mode)];
  for (const name of await readdir(source)) {
    const child = join(source, name);
    const path = below === "" ? name : `${below}/${name}`;
    const childStat = await lstat(child);
    deferred.push(...(await uploadEntry(state, child, `${target}/${name}`, path, childStat)));
  }
  return deferred;
}

async function uploadFile(
  { files, options, result }: Upload,
  source: string,
  target: string,
  stat: Stats,
): Promise<void> {
  const mode = stat.mode & MODE_MASK;
  const { signal } = options;
  const data = stat.size <= WHOLE_FILE_BYTES ? await readFile(source) : createReadStream(source);
  await files.writeFile(target, data, { mode, signal });
  // A file that existed kept its own mode, and the VM's umask is not ours.
  await files.chmod(target, mode);
  result.files += 1;
  result.bytes += stat.size;
}

async function replaceLink(files: VmFiles, content: string, target: string): Promise<void> {
  try {
    await files.symlink(content, target);
  } catch (error) {
    if (!isAgentOsError(error, "FILE_SYSTEM") || error.errno !== "EEXIST") throw error;
    await files.rm(target);
    await files.symlink(content, target);
  }
}

function typeOf(stat: Stats): FileType {
  if (stat.isFIFO()) return "fifo";
  if (stat.isSocket()) return "socket";
  return stat.isBlockDevice() ? "block_device" : "character_device";
}
