import { constants } from "node:fs";
import { chmod, type FileHandle, lstat, mkdir, open, rm, symlink } from "node:fs/promises";
import { join, resolve } from "node:path";

import type { DirectoryEntry, FileStat } from "@agentos/protocol";

import type { TransferOptions } from "./file-options.ts";
import { emptyTransfer, type TransferResult } from "./transfer-result.ts";
import { TransferQueue } from "./transfer-queue.ts";
import type { VmFiles } from "./vm-files.ts";

/** A guest's set-user-id bits never reach the host. */
const MODE_MASK = 0o777;
const OWNER_BITS = 0o700;
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

interface Download {
  files: VmFiles;
  queue: TransferQueue;
  options: TransferOptions;
  result: TransferResult;
}

type Deferred = (() => Promise<void>)[];

/** Copies a file or a tree of a VM to the host. What the guest made of names and links decides nothing about where on the host it goes. */
export async function download(
  files: VmFiles,
  vmPath: string,
  hostPath: string,
  options: TransferOptions,
): Promise<TransferResult> {
  const queue = new TransferQueue(options.signal);
  const state: Download = { files, queue, options, result: emptyTransfer() };
  try {
    const { type } = await files.stat(vmPath);
    const deferred = await downloadEntry(state, vmPath, resolve(hostPath), "", type);
    await queue.finish();
    // Deepest first: a directory without write permission gets it only now.
    for (const setMode of deferred.toReversed()) await setMode();
    return state.result;
  } catch (error) {
    await queue.abandon();
    throw error;
  }
}

async function downloadEntry(
  state: Download,
  source: string,
  target: string,
  below: string,
  type: DirectoryEntry["type"],
): Promise<Deferred> {
  const { files, queue, options, result } = state;
  if (below !== "" && options.exclude?.(below) === true) return [];
  queue.assertGoing();
  if (type === "directory") return await downloadDirectory(state, source, target, below);
  if (type === "symlink") {
    const content = await files.readlink(source);
    await removeNonDirectory(target);
    await symlink(content, target);
    result.links += 1;
  } else if (type === "file") await queue.add(() => downloadFile(state, source, target));
  else result.skipped.push({ path: source, type });
  return [];
}

async function downloadDirectory(
  state: Download,
  source: string,
  target: string,
  below: string,
): Promise<Deferred> {
  const { files, result } = state;
  const { mode } = await files.stat(source);
  const entries = await files.readdir(source, { withFileTypes: true });
  await makeDirectory(target, mode);
  result.directories += 1;
  const deferred: Deferred = [() => chmod(target, mode & MODE_MASK)];
  for (const { name, type } of entries) {
    const path = below === "" ? name : `${below}/${name}`;
    deferred.push(
      ...(await downloadEntry(state, `${source}/${name}`, join(target, name), path, type)),
    );
  }
  return deferred;
}

async function downloadFile(
  { files, options, result }: Download,
  source: string,
  target: string,
): Promise<void> {
  const stat = await files.stat(source);
  const file = await createFile(target);
  try {
    // Not `+= await`: others add to it meanwhile.
    const bytes = await fill(file, files.readStream(source, { signal: options.signal }));
    result.bytes += bytes;
    await file.chmod(permissions(stat));
  } finally {
    await file.close();
  }
  result.files += 1;
}

async function fill(file: FileHandle, stream: ReadableStream<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream) {
    await file.writeFile(chunk);
    bytes += chunk.byteLength;
  }
  return bytes;
}

/** A real directory at `target`: a link there, perhaps of an earlier download, is replaced and never followed. */
async function makeDirectory(target: string, mode: number): Promise<void> {
  const known = await lstatOrNothing(target);
  if (known !== undefined && !known.isDirectory()) await rm(target);
  await mkdir(target, { recursive: true, mode: (mode & MODE_MASK) | OWNER_BITS });
  await chmod(target, (mode & MODE_MASK) | OWNER_BITS);
}

/** A new file at `target`, whatever was there. */
async function createFile(target: string): Promise<FileHandle> {
  await removeNonDirectory(target);
  return await open(target, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o600);
}

async function removeNonDirectory(target: string): Promise<void> {
  const known = await lstatOrNothing(target);
  // A directory stays: making the file then says EISDIR or EEXIST.
  if (known !== undefined && !known.isDirectory()) await rm(target, { force: true });
}

async function lstatOrNothing(
  path: string,
): Promise<Awaited<ReturnType<typeof lstat>> | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function permissions({ mode }: FileStat): number {
  return mode & MODE_MASK;
}
