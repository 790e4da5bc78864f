import { readFileSync } from "node:fs";

import ignore, { type Ignore } from "ignore";

import type { UploadOptions } from "./file-options.ts";

const IGNORE_FILE = ".gitignore";
/** A file of rules that is longer is none that anybody wrote. */
const MOST_IGNORE_BYTES = 1024 * 1024;

interface DirectoryRules {
  /** Below the top, with a slash at its end; empty for the top. */
  readonly prefix: string;
  readonly rules: Ignore;
}

/** What a transfer leaves out: by the caller's function, by patterns, by the files of rules in the tree. */
export class ExclusionRules {
  readonly #options: UploadOptions;
  readonly #patterns: Ignore | undefined;
  /** The innermost last: its word counts. */
  readonly #directories: readonly DirectoryRules[];

  constructor(options: UploadOptions, directories: readonly DirectoryRules[] = []) {
    this.#options = options;
    this.#directories = directories;
    const { ignore: patterns = [] } = options;
    this.#patterns = patterns.length === 0 ? undefined : ignore().add(patterns);
  }

  /** The rules inside a directory of the host: with its own `.gitignore`, where that is asked for. */
  enter(path: Buffer, below: Buffer): ExclusionRules {
    if (this.#options.gitignore !== true) return this;
    const text = readRules(path);
    if (text === undefined) return this;
    const prefix = below.byteLength === 0 ? "" : `${below.toString()}/`;
    const own = { prefix, rules: ignore().add(text) };
    return new ExclusionRules(this.#options, [...this.#directories, own]);
  }

  /** Whether this entry, and everything below it, stays behind. `path` is below the top. */
  excludes(path: Uint8Array, isDirectory: boolean): boolean {
    const { exclude } = this.#options;
    if (exclude === undefined && this.#patterns === undefined && this.#directories.length === 0)
      return false;
    const text = Buffer.from(path).toString();
    const marked = isDirectory ? `${text}/` : text;
    if (exclude?.(text) === true || this.#patterns?.ignores(marked) === true) return true;
    for (const { prefix, rules } of this.#directories.toReversed()) {
      const { ignored, unignored } = rules.test(marked.slice(prefix.length));
      if (ignored || unignored) return ignored;
    }
    return false;
  }
}

function readRules(directory: Buffer): string | undefined {
  try {
    const bytes = readFileSync(Buffer.concat([directory, Buffer.from(`/${IGNORE_FILE}`)]));
    return bytes.byteLength > MOST_IGNORE_BYTES ? undefined : bytes.toString();
  } catch (error) {
    // A directory of that name has no rules either.
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "EISDIR") return undefined;
    throw error;
  }
}
