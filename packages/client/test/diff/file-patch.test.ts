import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { filePatch } from "../../src/diff/file-patch.ts";
import { NO_FILE } from "../../src/diff/patch-side.ts";

const LINES = ["a\n", "b\n", "c\n", "\n", "é\n"];
const NAMES = ["plain", "with space", 'quote"d', "back\\slash", "new\nline", "ünï"];

/** Texts by chance, the same ones each time. */
function* texts(count: number): Generator<[string, string], void> {
  let state = 7;
  const next = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  const text = (): string => {
    const lines = Array.from({ length: 1 + next(40) }, () => LINES[next(LINES.length)] ?? "");
    return `${lines.join("")}${next(3) === 0 ? "no end" : ""}`;
  };
  for (let left = count; left > 0; left--) yield [text(), text()];
}

/** More lines than the shortest way is looked for. */
function numbered(word: string): string {
  return Array.from({ length: 1_500 }, (_, line) => `${word} ${line}\n`).join("");
}

test("[diff.patch] git makes one file of the other by a patch, whatever it is called", () => {
  const directory = mkdtempSync(join(tmpdir(), "aos-patch-"));
  const apply = (patch: string): void =>
    void execFileSync("git", ["apply", "-"], { cwd: directory, input: patch, stdio: "pipe" });
  const run = (name: string, before: string, after: string): void => {
    const path = join(directory, name);
    writeFileSync(path, before);
    chmodSync(path, 0o644);
    const old = { bytes: Buffer.from(before), mode: "100644" };
    const now = { bytes: Buffer.from(after), mode: "100755" };
    apply(filePatch(`/${name}`, old, now));
    expect(readFileSync(path, "utf8")).toBe(after);
    expect(statSync(path).mode & 0o100).toBe(0o100);
    apply(filePatch(`/${name}`, now, NO_FILE));
    // What a link may lead to.
    if (after !== "" && after.length < 4_096)
      apply(filePatch(`/${name}`, NO_FILE, { ...now, mode: "120000" }));
    rmSync(path, { force: true });
  };
  try {
    for (const [at, [before, after]] of [...texts(12)].entries())
      run(NAMES[at % NAMES.length] ?? "plain", before, after);
    run("empty", "", "a\n");
    run("emptied", "a", "");
    run("rewritten", numbered("old"), numbered("new"));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("of what is no text only the name is told", () => {
  const before = { bytes: Buffer.of(0), mode: "100644" };
  const after = { bytes: Buffer.of(0xff, 0xfe), mode: "100644" };
  expect(filePatch("/a/b", before, after)).toBe(
    "diff --git a/a/b b/a/b\nBinary files a/a/b and b/a/b differ\n",
  );
});
