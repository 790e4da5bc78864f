import { Bash } from "just-bash";
import { expect, test } from "vitest";

import { SHELL_LIMITS } from "../../src/virtual/worker/shell-limits.ts";
import { LastWords } from "../../src/virtual/worker/script-limit.ts";

const SMALL = {
  ...SHELL_LIMITS,
  maxCommandCount: 600,
  maxLoopIterations: 200,
  maxWorkUnits: 50_000,
  maxStringLength: 1_000,
  maxArrayElements: 100,
  maxOutputSize: 2_000,
  maxFileDescriptors: 20,
  maxAwkIterations: 200,
  maxSedIterations: 200,
};

async function run(script: string, executionLimits = SMALL): Promise<[number, LastWords]> {
  const { exitCode, stderr } = await new Bash({ executionLimits, defenseInDepth: false }).exec(
    script,
  );
  const words = new LastWords();
  words.note(Buffer.from(stderr));
  return [exitCode, words];
}

// The interpreter's own words, from the interpreter: a version that says it otherwise fails here.
test.each([
  ["while :; do :; done", "scriptIterations", 200],
  ["until false; do :; done", "scriptIterations", 200],
  ["for ((;;)); do :; done", "scriptIterations", 200],
  ["for i in {1..90}; do for j in {1..90}; do :; done; done", "scriptCommands", 600],
  ["while :; do :; done || echo never", "scriptIterations", 200],
  ["bash -c 'while :; do :; done'", "scriptIterations", 200],
  ["awk 'BEGIN { while (1) {} }'", "scriptIterations", 200],
  ["echo a | sed ':a;ba'", "scriptIterations", 200],
  // Of two limits on it, the lower one.
  ["seq 1 1000", "scriptIterations", 100],
  ["f() { f; }; f", "scriptDepth", 100],
  ["x=a; while :; do x=$x$x; done", "scriptTextBytes", 1_000],
  [
    "for i in {1..90}; do echo 0123456789012345678901234567890123456789; done",
    "scriptOutputBytes",
    2_000,
  ],
  ['for i in {10..90}; do eval "exec $i>/tmp/f"; done', "openFiles", 20],
])("%s ends at %s", async (script, name, value) => {
  const [exitCode, words] = await run(script);
  expect(words.limitAt(exitCode)).toEqual({ name, value });
});

test("a script that goes on after a part of it was ended, ends as it says", async () => {
  const [exitCode, words] = await run("bash -c 'while :; do :; done'; echo $?");
  expect([exitCode, words.limitAt(exitCode)]).toEqual([0, undefined]);
});

test("126 alone is no limit", async () => {
  const [exitCode, words] = await run("echo 'permission denied' >&2; exit 126");
  expect([exitCode, words.limitAt(exitCode)]).toEqual([126, undefined]);
});

test("the last line counts, however it came", () => {
  const words = new LastWords();
  words.note(Buffer.alloc(10_000, "too many iterations (5)\n"));
  words.note(Buffer.from("bash: too many comm"));
  words.note(Buffer.from("ands executed (>7)\n"));
  expect(words.limitAt(126)).toEqual({ name: "scriptCommands", value: 7 });
  words.note(Buffer.from("fine\n"));
  expect(words.limitAt(126)).toBeUndefined();
});
