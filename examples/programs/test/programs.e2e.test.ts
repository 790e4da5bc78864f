import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { AgentOs } from "@agentos/client";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";

const here = fileURLToPath(new URL("..", import.meta.url));
const root = fileURLToPath(new URL("../../..", import.meta.url));
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "agentos-ex-"));
});

afterAll(async () => {
  const sidecar = await AgentOs.getSharedSidecar({
    runtimeDirectory: join(directory, "r"),
    stateDirectory: join(directory, "s"),
  });
  await sidecar.shutdown();
  await rm(directory, { recursive: true });
});

async function runProgram(name: string) {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [join(here, name)], {
    cwd: directory,
    env: {
      AGENTOS_RUNTIME_DIR: join(directory, "r"),
      AGENTOS_STATE_DIR: join(directory, "s"),
      NODE_OPTIONS: "",
    },
    reject: false,
  });
  return { exitCode, lines: stdout.split("\n"), stderr };
}

test("hello.ts says what the README says", async () => {
  const { exitCode, lines } = await runProgram("hello.ts");
  expect(exitCode).toBe(0);
  expect(lines[0]).toMatch(/^Hello, world, from \S+ \(exit code 0\)$/);
  expect(lines.slice(1)).toEqual(["exited 3 oops", "timed-out", "1+2+3+4+5", ""]);
});

test("the README's example is hello.ts, to the letter", async () => {
  const readme = await readFile(join(root, "README.md"), "utf8");
  const [, example] = /```ts\n([^]*?)```/.exec(readme) ?? [];
  expect(example).toBe(await readFile(join(here, "hello.ts"), "utf8"));
  expect(example?.trimEnd().split("\n").length).toBeLessThanOrEqual(20);
});

test("exec-streams.ts shows output, input and signals", async () => {
  const { exitCode, lines, stderr } = await runProgram("exec-streams.ts");
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "err 1\nerr 2\nerr 3" });
  expect(lines).toEqual([
    "out 1",
    "out 2",
    "out 3",
    "pear fig apple",
    "SHOUT",
    "0",
    "ready",
    "caught",
    "7",
  ]);
});

test("files.ts takes files in and out", async () => {
  const { exitCode, lines, stderr } = await runProgram("files.ts");
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(lines).toEqual(["three two one", "1024 b d link", "ENOENT", "false"]);
});

test("terminal.ts types, looks and reads", async () => {
  const { exitCode, lines, stderr } = await runProgram("terminal.ts");
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(lines).toEqual(["$ echo $((6 * 7))", "42", "$", "true 3"]);
});

test("parallel.ts uses many VMs at once, and none is left", async () => {
  const { exitCode, lines } = await runProgram("parallel.ts");
  expect(exitCode).toBe(0);
  expect(lines).toEqual([Array.from({ length: 20 }, (_, index) => index * index).join(" ")]);
  const sidecar = await AgentOs.getSharedSidecar({
    runtimeDirectory: join(directory, "r"),
    stateDirectory: join(directory, "s"),
  });
  expect(await AgentOs.list({ sidecar })).toEqual([]);
});

test("the project of the demo has one failing test, and only that", async () => {
  const project = join(root, "examples", "word-count");
  // Without this Node takes itself for a test that is already running.
  const env = { NODE_TEST_CONTEXT: undefined };
  const { exitCode, stdout } = await execa(process.execPath, ["--test", "--test-reporter=tap"], {
    cwd: project,
    env,
    reject: false,
  });
  expect(exitCode).toBe(1);
  expect(stdout.match(/^ *not ok .*/gm)).toEqual([
    expect.stringContaining("white space around the text is no word"),
  ]);
});
