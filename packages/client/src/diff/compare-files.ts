import { Buffer } from "node:buffer";

import type { FileType, ListedFile } from "@agentos/protocol";

import { VmFiles } from "../files/vm-files.ts";
import type { VmAdmin } from "../leases/vm-admin.ts";
import { listFiles, type ListOptions, unlessGone } from "./file-list.ts";
import { NO_FILE, type PatchSide } from "./patch-side.ts";

/** Files whose bytes are compared at once. */
const COMPARED_AT_ONCE = 32;
/** Of a longer file only its name is in a patch. */
const MAX_PATCHED_BYTES = 1024 * 1024;
const PIECE_BYTES = 1024 * 1024;

/** A file that is not as it was. */
export interface VmChange {
  /** `modified`: other bytes, or a link that says something else. `mode` and `type`: only that is another. */
  readonly kind: "added" | "modified" | "deleted" | "mode" | "type";
  readonly path: string;
  /** What it is, or was. */
  readonly type: FileType;
  /** Permission bits that it has, or had. */
  readonly mode: number;
  /** What it was before, where it was and is. */
  readonly before?: { readonly type: FileType; readonly mode: number };
  /** As `git apply` takes it at /. Of what is no text, or longer than 1 MiB, only the name is in it. Empty for directories. */
  readonly patch?: string;
}

/** Two VMs. */
interface Sides<T> {
  readonly before: T;
  readonly after: T;
}

type Compared = Sides<VmFiles>;

/** What changed, by path, each as soon as it is known. */
export async function* compareFiles(
  { before, after }: Sides<VmAdmin>,
  options: ListOptions & { readonly patch: boolean },
): AsyncGenerator<VmChange, void, undefined> {
  const list = async (
    digest: boolean,
  ): Promise<[Map<string, ListedFile>, Map<string, ListedFile>]> =>
    await Promise.all([
      listFiles(before, { ...options, digest }),
      listFiles(after, { ...options, digest }),
    ]);
  let [old, now] = await list(false);
  let paths = suspects(old, now);
  if (paths.length > COMPARED_AT_ONCE) {
    // A copied snapshot has other times for every file: what is the same is told by its agent then.
    [old, now] = await list(true);
    paths = suspects(old, now);
  }
  const compared = { before: new VmFiles(before), after: new VmFiles(after) };
  for (let at = 0; at < paths.length; at += COMPARED_AT_ONCE) {
    options.signal?.throwIfAborted();
    const some = paths.slice(at, at + COMPARED_AT_ONCE);
    // oxlint-disable-next-line no-await-in-loop -- So many at once, and no more.
    const changes = await Promise.all(
      some.map((path) => changeOf(compared, path, old.get(path), now.get(path))),
    );
    for (const change of changes) {
      if (change === undefined) continue;
      // oxlint-disable-next-line no-await-in-loop -- The bytes of one file in memory at a time.
      yield options.patch ? { ...change, patch: await patchOf(compared, change) } : change;
    }
  }
}

/** By path, those that may not be as they were. */
function suspects(
  old: ReadonlyMap<string, ListedFile>,
  now: ReadonlyMap<string, ListedFile>,
): string[] {
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((path) => mayDiffer(old.get(path), now.get(path)))
    .toSorted();
}

/** What its facts can tell: nobody in a VM sets a ctime, so the same one is the same file. */
function mayDiffer(was: ListedFile | undefined, is: ListedFile | undefined): boolean {
  if (was === undefined || is === undefined) return true;
  if (was.type !== is.type || was.mode !== is.mode || was.target !== is.target) return true;
  if (is.type !== "file") return false;
  if (was.digest !== undefined && is.digest !== undefined) return was.digest !== is.digest;
  return was.size !== is.size || was.mtimeMs !== is.mtimeMs || was.ctimeMs !== is.ctimeMs;
}

async function changeOf(
  compared: Compared,
  path: string,
  was: ListedFile | undefined,
  is: ListedFile | undefined,
): Promise<VmChange | undefined> {
  if (was === undefined) return is && { kind: "added", path, type: is.type, mode: is.mode };
  if (is === undefined) return { kind: "deleted", path, type: was.type, mode: was.mode };
  const before = { type: was.type, mode: was.mode };
  const change = { path, type: is.type, mode: is.mode, before };
  if (was.type !== is.type) return { kind: "type", ...change };
  const isSame =
    is.type === "file"
      ? was.size === is.size && (await haveSameBytes(compared, path, was, is))
      : was.target === is.target;
  if (!isSame) return { kind: "modified", ...change };
  return was.mode === is.mode ? undefined : { kind: "mode", ...change };
}

async function haveSameBytes(
  { before, after }: Compared,
  path: string,
  was: ListedFile,
  is: ListedFile,
): Promise<boolean> {
  if (was.digest !== undefined && is.digest !== undefined) return was.digest === is.digest;
  for (let start = 0; start < is.size; start += PIECE_BYTES) {
    // oxlint-disable-next-line no-await-in-loop -- A piece of each in memory at a time.
    const [old, now] = await Promise.all([
      pieceOf(before, path, start),
      pieceOf(after, path, start),
    ]);
    if (Buffer.compare(old, now) !== 0) return false;
  }
  return true;
}

async function pieceOf(files: VmFiles, path: string, start: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const reading = async (): Promise<void> => {
    for await (const chunk of files.readStream(path, { start, length: PIECE_BYTES }))
      chunks.push(chunk);
  };
  await unlessGone(reading());
  return Buffer.concat(chunks);
}

async function patchOf({ before, after }: Compared, { kind, path }: VmChange): Promise<string> {
  const old = kind === "added" ? NO_FILE : await sideOf(before, path);
  const now = kind === "deleted" ? NO_FILE : await sideOf(after, path);
  // Only here: most programs compare nothing.
  const { filePatch } = await import("./file-patch.ts");
  return filePatch(path, old, now);
}

/** What a patch knows: files and links. */
async function sideOf(files: VmFiles, path: string): Promise<PatchSide> {
  const stat = await unlessGone(files.lstat(path));
  if (stat?.type === "symlink")
    return { bytes: Buffer.from(await files.readlink(path)), mode: "120000" };
  if (stat?.type !== "file") return NO_FILE;
  const mode = (stat.mode & 0o100) === 0 ? "100644" : "100755";
  // A NUL: it is treated as what is no text.
  if (stat.size > MAX_PATCHED_BYTES) return { bytes: Buffer.of(0), mode };
  return { bytes: (await unlessGone(files.readFile(path))) ?? Buffer.of(0), mode };
}
