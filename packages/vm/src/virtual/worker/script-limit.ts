import type { ReachedLimit } from "@agentos/protocol";

/** What the interpreter ends a script with, or a command of it. */
export const LIMIT_EXIT_CODE = 126;
/** Longer than anything that the interpreter says of a limit. */
const WORDS_BYTES = 512;

/** Its words for each limit, with the value. It has a type for it, but gives its embedder nothing but the words. */
const WORDS: readonly (readonly [ReachedLimit["name"], RegExp])[] = [
  ["scriptCommands", /too many commands executed \(>(\d+)\)/],
  ["scriptIterations", /(?:too many|exceeded maximum) iterations \((\d+)\)/],
  ["scriptIterations", /(?:iteration|work) limit exceeded \((\d+)\)/],
  ["scriptDepth", /maximum (?:[a-z]+ )*depth \((\d+)\) exceeded/],
  ["scriptDepth", /(?:depth|nesting) limit exceeded \((\d+)\)/],
  ["scriptElements", /(?:element|result) limit exceeded \((\d+)\)/],
  ["scriptOutputBytes", /total output size exceeded \(>(\d+) bytes\)/],
  ["scriptTextBytes", /limit exceeded \((\d+) bytes\)/],
  ["openFiles", /too many open file descriptors \(max (\d+)\)/],
];

/** The last of what a script says on stderr, by which its end at a limit is known. */
export class LastWords {
  #bytes: Uint8Array = new Uint8Array(0);

  note(bytes: Uint8Array): void {
    const all = bytes.byteLength < WORDS_BYTES ? Buffer.concat([this.#bytes, bytes]) : bytes;
    this.#bytes = Buffer.from(all.subarray(-WORDS_BYTES));
  }

  /** The limit that the script's exit code and last line are about. A script that says and does the same itself is taken at its word. */
  limitAt(exitCode: number): ReachedLimit | undefined {
    if (exitCode !== LIMIT_EXIT_CODE) return undefined;
    const line = Buffer.from(this.#bytes).toString().trimEnd().split("\n").at(-1) ?? "";
    for (const [name, words] of WORDS) {
      const value = words.exec(line)?.[1];
      if (value !== undefined) return { name, value: Number(value) };
    }
    return undefined;
  }
}
