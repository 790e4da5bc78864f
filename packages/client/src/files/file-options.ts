import * as z from "zod";

export interface WriteFileOptions {
  /** Permission bits of a new file. Default 0o644. */
  mode?: number | undefined;
  /** `w` (default) empties the file first, `wx` fails where it exists, `a` adds. */
  flag?: "w" | "wx" | "a" | undefined;
  signal?: AbortSignal | undefined;
}

export interface ReadStreamOptions {
  /** First byte. Default 0. */
  start?: number | undefined;
  /** Bytes. Default: to the end. */
  length?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface MkdirOptions {
  mode?: number | undefined;
  /** Makes parents too; a directory that exists is no error. */
  recursive?: boolean | undefined;
}

export interface RmOptions {
  recursive?: boolean | undefined;
  /** A missing path is no error. */
  force?: boolean | undefined;
}

export interface CopyOptions {
  recursive?: boolean | undefined;
  /** Default true. */
  overwrite?: boolean | undefined;
}

export interface TransferOptions {
  /** Leaves out what it says true to; gets the path below the top, with `/`. */
  exclude?: ((path: string) => boolean) | undefined;
  /** Leaves out what these match, in the syntax of a `.gitignore` at the top. */
  ignore?: readonly string[] | undefined;
  signal?: AbortSignal | undefined;
}

export interface UploadOptions extends TransferOptions {
  /** Leaves out what each `.gitignore` in the tree says. Default false. */
  gitignore?: boolean | undefined;
}

export interface WatchOptions {
  /** Everything below the path, too. Default false: the path, and what is directly in it. */
  recursive?: boolean | undefined;
  /** Aborted: the loop throws `CANCELLED`. */
  signal?: AbortSignal | undefined;
}

const Mode = z.int().min(0).max(0o1777);
const AnySignal = z.instanceof(AbortSignal, { error: "expected an AbortSignal" });
const Flag = z.boolean().optional();

const TRANSFER = {
  exclude: z
    .custom<(path: string) => boolean>(
      (value) => typeof value === "function",
      "expected a function",
    )
    .optional(),
  ignore: z.array(z.string().min(1)).readonly().optional(),
  signal: AnySignal.optional(),
};

/** The options of file operations; unknown ones are refused. */
export const FILE_OPTIONS = {
  writeFile: z.strictObject({
    mode: Mode.optional(),
    flag: z.enum(["w", "wx", "a"]).optional(),
    signal: AnySignal.optional(),
  }),
  readStream: z.strictObject({
    start: z.int().min(0).optional(),
    length: z.int().min(1).optional(),
    signal: AnySignal.optional(),
  }),
  readdir: z.strictObject({ withFileTypes: Flag }),
  mkdir: z.strictObject({ mode: Mode.optional(), recursive: Flag }),
  rm: z.strictObject({ recursive: Flag, force: Flag }),
  copy: z.strictObject({ recursive: Flag, overwrite: Flag }),
  watch: z.strictObject({ recursive: Flag, signal: AnySignal.optional() }),
  download: z.strictObject(TRANSFER),
  upload: z.strictObject({ ...TRANSFER, gitignore: Flag }),
};

export const WRITE_FLAGS = { w: "truncate", wx: "exclusive", a: "append" } as const;
