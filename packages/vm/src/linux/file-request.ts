import { FieldWriter } from "../link/fields.ts";
import { FIELD } from "../link/link-kinds.ts";

/** The operations of FILE. */
export const FILE_OP = {
  stat: 1,
  lstat: 2,
  readdir: 3,
  mkdir: 4,
  rm: 5,
  rename: 6,
  copy: 7,
  symlink: 8,
  readlink: 9,
  chmod: 10,
  truncate: 11,
  read: 12,
  write: 13,
  realpath: 15,
  space: 16,
} as const;

/** Bits of FILE's `flags`. */
export const FILE_FLAG = {
  recursive: 1,
  force: 2,
  noOverwrite: 4,
  append: 8,
  exclusive: 16,
  keep: 32,
} as const;

export interface FileRequest {
  op: (typeof FILE_OP)[keyof typeof FILE_OP];
  /** What Node calls the operation in its errors. */
  syscall: string;
  path: string;
  path2?: string;
  mode?: number;
  length?: number;
  start?: number;
  flags?: number;
  window?: number;
}

/** FILE's payload. Throws `INVALID_ARGUMENT` for a path with a NUL. */
export function encodeFile(request: FileRequest): Uint8Array {
  const { op, path, path2, mode, length, start, flags, window } = request;
  const fields = new FieldWriter().u8(FIELD.op, op).text(FIELD.path, path);
  if (path2 !== undefined) fields.text(FIELD.path2, path2);
  if (mode !== undefined) fields.u32(FIELD.mode, mode);
  if (length !== undefined) fields.u64(FIELD.length, length);
  if (start !== undefined) fields.u64(FIELD.start, start);
  if (flags !== undefined) fields.u32(FIELD.fileFlags, flags);
  if (window !== undefined) fields.u32(FIELD.window, window);
  return fields.finish();
}
