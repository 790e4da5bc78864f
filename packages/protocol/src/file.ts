import * as z from "zod";

import { Id, StreamId, VmPath } from "./ids.ts";
import { VmScope } from "./vm.ts";

export const FileType = z.enum([
  "file",
  "directory",
  "symlink",
  "character_device",
  "block_device",
  "fifo",
  "socket",
]);
export type FileType = z.infer<typeof FileType>;

export const FileStat = z.object({
  type: FileType,
  /** Permission bits, without the type's. */
  mode: z.int(),
  size: z.int(),
  ino: z.int(),
  nlink: z.int(),
  uid: z.int(),
  gid: z.int(),
  mtimeMs: z.number(),
  atimeMs: z.number(),
  ctimeMs: z.number(),
});
export type FileStat = z.infer<typeof FileStat>;

const Mode = z.int().min(0).max(0o1777);
const Length = z.int().min(0);

export const PathParams = VmScope.extend({ path: VmPath });
export const MkdirParams = PathParams.extend({
  mode: Mode.optional(),
  recursive: z.boolean().optional(),
});
export const RmParams = PathParams.extend({
  recursive: z.boolean().optional(),
  /** A missing path is no error. */
  force: z.boolean().optional(),
});
export const RenameParams = VmScope.extend({ from: VmPath, to: VmPath });
export const CopyParams = RenameParams.extend({
  recursive: z.boolean().optional(),
  /** Default true. */
  overwrite: z.boolean().optional(),
});
export const SymlinkParams = PathParams.extend({
  /** What the link says; may be relative. */
  content: z
    .string()
    .min(1)
    .max(4095)
    .refine((content) => !content.includes("\0")),
});
export const ChmodParams = PathParams.extend({ mode: Mode });
export const TruncateParams = PathParams.extend({ length: Length });

export const ReadParams = PathParams.extend({
  stream: StreamId,
  start: Length.optional(),
  /** To the end of the file where it is not given. */
  length: z.int().min(1).optional(),
  windowBytes: z
    .int()
    .min(4096)
    .max(1024 * 1024)
    .optional(),
});
export const ReaddirParams = PathParams.extend({ stream: StreamId });
export const WriteParams = PathParams.extend({
  stream: StreamId,
  mode: Mode.optional(),
  start: Length.optional(),
  /** `truncate` (default) empties the file first, `append` adds, `exclusive` fails where it exists, `keep` writes over. */
  how: z.enum(["truncate", "append", "exclusive", "keep"]).optional(),
  windowBytes: z
    .int()
    .min(4096)
    .max(1024 * 1024)
    .optional(),
});

/** A tree that is read or written as one stream, by a process of the VM's own agent. */
export const TreeParams = PathParams.extend({
  /** The client's id: a repeated request starts nothing twice. */
  processId: Id,
  stream: StreamId,
  windowBytes: z
    .int()
    .min(4096)
    .max(1024 * 1024)
    .optional(),
  /** As of `process.spawn`. */
  received: z.object({ stdout: z.int().min(0), stderr: z.int().min(0) }).optional(),
});

export const ListParams = TreeParams.extend({
  /** Neither these nor what is below them. */
  without: z.array(VmPath).max(128).optional(),
  /** Whether a file of at most 1 MiB has the SHA-256 of its bytes. Default false. */
  digest: z.boolean().optional(),
});

export const WatchParams = TreeParams.extend({
  /** Everything below the path, too. Default false. */
  recursive: z.boolean().optional(),
});

export const StatResult = z.object({ stat: FileStat });
export const PathResult = z.object({ path: z.string() });
export const WriteResult = z.object({ size: z.int() });
