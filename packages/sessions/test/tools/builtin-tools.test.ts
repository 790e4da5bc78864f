import { DEFAULTS, type ToolResult } from "@agentos/protocol";
import type { FakeVm } from "@agentos/testing";
import { beforeEach, expect, test } from "vitest";

import { openTools, type ToolDesk } from "../../src/index.ts";
import { callOf, contextOf, fakeVm, textOf, turnOf } from "../fixture.ts";

const live = { signal: new AbortController().signal };
let vm: FakeVm;
let desk: ToolDesk;

beforeEach(async () => {
  vm = await fakeVm();
  desk = await openTools(contextOf({ vm }), live);
});

function call(name: string, input: Parameters<typeof callOf>[1]): Promise<ToolResult> {
  return desk.call(callOf(name, input), turnOf());
}

test("view_file shows a file, or some of its lines", async () => {
  vm.files.tree.writeText("/workspace/a.txt", "one\ntwo\nthree", 0o644);
  expect(textOf(await call("view_file", { path: "a.txt" }))).toBe("one\ntwo\nthree");
  const some = await call("view_file", { path: "/workspace/a.txt", start_line: 2, end_line: 2 });
  expect(textOf(some)).toBe("two");
  const past = await call("view_file", { path: "a.txt", start_line: 9 });
  expect(past.outcome).toBe("failed");
  expect(textOf(past)).toContain("a line up to 3");
});

test("view_file shows an image as one, and says what is binary", async () => {
  vm.files.tree.writeText("/workspace/a.png", "not really", 0o644);
  expect((await call("view_file", { path: "a.png" })).content[0]).toMatchObject({
    type: "image",
    mediaType: "image/png",
  });
  vm.files.tree.writeText("/workspace/b", "a\0b", 0o644);
  expect(textOf(await call("view_file", { path: "b" }))).toContain("binary file of 3 bytes");
});

test("a result longer than the bound is cut in the middle, and says how long it was", async () => {
  const text = `first ${"x".repeat(2 * DEFAULTS.toolResultBytes)} last`;
  vm.files.tree.writeText("/workspace/big", text, 0o644);
  const result = await call("view_file", { path: "big" });
  expect(result).toMatchObject({ truncated: true, totalBytes: text.length });
  expect(textOf(result)).toMatch(/^first x+\n\[\d+ bytes left out\]\nx+ last$/);
  expect(textOf(result).length).toBeLessThan(DEFAULTS.toolResultBytes + 100);
});

test("create_file makes directories, and replaces nothing unasked", async () => {
  expect((await call("create_file", { path: "x/y/z.txt", content: "1" })).outcome).toBe("ok");
  const again = await call("create_file", { path: "x/y/z.txt", content: "2" });
  expect(again.outcome).toBe("failed");
  expect(textOf(await call("view_file", { path: "x/y/z.txt" }))).toBe("1");
  await call("create_file", { path: "x/y/z.txt", content: "2", overwrite: true });
  expect(textOf(await call("view_file", { path: "x/y/z.txt" }))).toBe("2");
});

test("create_file writes more than a window", async () => {
  const content = "ü".repeat(DEFAULTS.streamWindowBytes);
  expect((await call("create_file", { path: "big", content })).outcome).toBe("ok");
  expect(await vm.files.stat("/workspace/big")).toMatchObject({ size: 2 * content.length });
});

test("edit_file replaces one exact place, and says why it does not", async () => {
  vm.files.tree.writeText("/workspace/a", "x = 1; y = 1; $& z", 0o644);
  const edit = (old: string, fresh: string, all = false) =>
    call("edit_file", { path: "a", old_text: old, new_text: fresh, replace_all: all });
  expect(textOf(await edit("w", "v"))).toContain("does not occur");
  expect(textOf(await edit("= 1", "= 2"))).toContain("2 times");
  expect((await edit("x = 1", "x = $&")).outcome).toBe("ok");
  expect((await edit("1", "3", true)).outcome).toBe("ok");
  expect(textOf(await call("view_file", { path: "a" }))).toBe("x = $&; y = 3; $& z");
  expect((await edit("", "v")).outcome).toBe("failed");
});

test("list_directory marks directories and links", async () => {
  vm.files.tree.makeDirectories("/workspace/d");
  await vm.files.symlink("d", "/workspace/l");
  vm.files.tree.writeText("/workspace/f", "", 0o644);
  expect(textOf(await call("list_directory", {}))).toBe("d/\nf\nl@");
  expect(textOf(await call("list_directory", { path: "d" }))).toBe("(empty)");
});

test("run_command gives both channels and how it ended, and tells output as it comes", async () => {
  const told: string[] = [];
  const turn = turnOf({ output: (_, delta) => told.push(delta) });
  const ran = await desk.call(callOf("run_command", { command: "echo out; stderr err" }), turn);
  expect(ran.outcome).toBe("ok");
  expect(textOf(ran)).toContain("out\n");
  expect(textOf(ran)).toContain("err\n");
  expect(textOf(ran)).toMatch(/\[exit code 0\]$/);
  expect(told.join("")).toContain("out\n");
  const failing = await call("run_command", { command: "exit 3" });
  expect(failing.outcome).toBe("failed");
  expect(textOf(failing)).toBe("[exit code 3]");
});

test("run_command keeps the first and the last of a flood", async () => {
  const result = await call("run_command", { command: "echo begin; flood 5000000; echo end" });
  const text = textOf(result);
  expect(text).toMatch(/^begin\n/);
  expect(text).toMatch(/characters left out/);
  expect(text).toMatch(/end\n\[exit code 0\]$/);
  expect(Buffer.byteLength(text)).toBeLessThan(2 * DEFAULTS.toolResultBytes);
});

test("a background command is read, and stopped", async () => {
  const started = textOf(await call("run_command", { command: "stubborn", background: true }));
  const id = started.split(" ")[0] ?? "";
  const read = async (): Promise<string> => textOf(await call("read_output", { id }));
  const first = await read();
  expect(first).toContain("[still runs]");
  expect(textOf(await call("stop_command", { id }))).toContain("[ended by SIGKILL]");
  expect((await call("read_output", { id: "background-none" })).outcome).toBe("failed");
});

test("[session.case-88] what is left in the background ends with the desk", async () => {
  await call("run_command", { command: "sleep 1000", background: true });
  await desk[Symbol.asyncDispose]();
  expect(
    (await vm.processes()).processes.filter(({ command }) => command.includes("sleep")),
  ).toStrictEqual([]);
});

test.each<[string, Parameters<typeof callOf>[1]]>([
  ["view_file", {}],
  ["view_file", { path: "" }],
  ["view_file", { path: "a\0b" }],
  ["edit_file", { path: "a", old_text: 1, new_text: "" }],
  ["run_command", { command: "" }],
  ["run_command", { command: "true", timeout_ms: -1 }],
  ["ask_question", { questions: [] }],
])("%s with %j is a failed result that names the field", async (name, input) => {
  const result = await call(name, input);
  expect(result.outcome).toBe("failed");
  expect(textOf(result)).toContain(name);
});
