import { cp, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

import { generateText, isStepCount, jsonSchema, tool, type JSONSchema7, type ToolSet } from "ai";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import * as z from "zod";

import { fixFailingTest, FakeModelServer } from "../src/index.ts";
import { SDK_MODELS } from "./sdk-models.ts";

const PROJECT = resolve(import.meta.dirname, "../../../examples/word-count");
const Input = z.record(z.string(), z.string());

let directory = "";
beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), "fix-failing-test-")));
  await cp(PROJECT, directory, { recursive: true });
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

type Act = (input: Record<string, string>) => Promise<string>;

/** A tool with string properties, all required. */
function textTool(names: readonly string[], act: Act) {
  const properties = Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));
  const schema: JSONSchema7 = { type: "object", properties, required: [...names] };
  return tool({
    inputSchema: jsonSchema(schema),
    execute: async (input) => await act(Input.parse(input)),
  });
}

async function run(command: string | undefined): Promise<string> {
  const options = { cwd: directory, reject: false, all: true, timeout: 15_000 } as const;
  const path = `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`;
  const env = { PATH: path, FORCE_COLOR: "0" };
  return (await execa("sh", ["-c", command ?? ""], { ...options, env })).all;
}

async function read(path = ""): Promise<string> {
  return await readFile(resolve(directory, path), "utf8");
}

async function replace(path = "", from = "", to = ""): Promise<string> {
  const before = await read(path);
  if (before.split(from).length !== 2) throw new Error(`expected one ${from}`);
  await writeFile(
    resolve(directory, path),
    before.replace(from, () => to),
  );
  return "ok";
}

const OURS: ToolSet = {
  list_directory: textTool(["path"], async () => await run("ls")),
  run_command: textTool(["command"], async ({ command }) => await run(command)),
  view_file: textTool(["path"], async ({ path }) => await read(path)),
  edit_file: textTool(
    ["path", "oldText", "newText"],
    async ({ path, oldText, newText }) => await replace(path, oldText, newText),
  ),
  finish: textTool(["summary"], async () => await Promise.resolve("ok")),
};

const CLAUDE: ToolSet = {
  Bash: textTool(["command", "description"], async ({ command }) => await run(command)),
  Read: textTool(["file_path"], async ({ file_path: path = "" }) => {
    if (!path.startsWith(`${directory}/`)) throw new Error(`expected an absolute path: ${path}`);
    return (await read(path)).replaceAll(/^/gm, "1→");
  }),
  Edit: textTool(
    ["file_path", "old_string", "new_string"],
    async (input) => await replace(input["file_path"], input["old_string"], input["new_string"]),
  ),
};

const CODEX: ToolSet = {
  exec_command: textTool(["cmd"], async ({ cmd }) => await run(cmd)),
};

const GEMINI: ToolSet = {
  run_shell_command: textTool(["command"], async ({ command }) => await run(command)),
  list_directory: textTool(["dir_path"], async () => await run("ls")),
  read_file: textTool(["path"], async ({ path }) => await read(path)),
  write_file: textTool(["path", "content"], async ({ path = "", content = "" }) => {
    await writeFile(resolve(directory, path), content);
    return "written";
  }),
};

/** The job through one set of tools, in one format. */
async function work(format: string, tools: ToolSet) {
  await using server = await FakeModelServer.start({ script: fixFailingTest() });
  const sdk = SDK_MODELS.find((each) => each.format === format);
  if (sdk === undefined) throw new Error(`no SDK for ${format}`);
  return await generateText({
    model: sdk.model(server.url),
    prompt: "One test fails. Fix it.",
    tools,
    stopWhen: isStepCount(12),
  });
}

const AGENTS = [
  ["openai-chat", "our tools", OURS],
  ["anthropic", "Claude Code's tools", CLAUDE],
  ["openai-responses", "a shell only", CODEX],
  ["gemini", "a tool that writes whole files", GEMINI],
] as const;

test.for(AGENTS)("%s: fixes the project with %s", async ([format, , tools]) => {
  const { steps } = await work(format, tools);
  const words = steps.map((step) => step.text);
  expect(words[2]).toBe("1 failing. I'll read the code behind it.");
  expect(words[5]).toMatch(/^All 7 tests pass\. I changed one line of src\/count-words\.js/);
  expect(await read("src/count-words.js")).toContain("match(/\\S+/g)?.length ?? 0");
});

test("says so when there is nothing to fix", async () => {
  await replace(
    "src/count-words.js",
    "text.split(/\\s+/).length",
    "text.match(/\\S+/g)?.length ?? 0",
  );
  const { text } = await work("anthropic", CLAUDE);
  expect(text).toBe("All tests pass. There is nothing to fix.");
});

test("stops when the code is not what it expected, and without tools to work with", async () => {
  await replace("src/count-words.js", "/\\s+/", "/[ \\n]+/");
  expect((await work("gemini", GEMINI)).text).toMatch(/^I expected `return text\.split/);
  const { text } = await work("gemini", { nothing: textTool([], async () => await run("true")) });
  expect(text).toBe("I was offered no tool for this, and stop here.");
});

test("answers what agents ask beside the job", async () => {
  await using server = await FakeModelServer.start({ script: fixFailingTest() });
  const ask = async (config: object): Promise<unknown> => {
    const response = await fetch(`${server.url}/v1beta/models/g:generateContent`, {
      method: "POST",
      body: JSON.stringify({ contents: [{ role: "user", parts: [{ text: "?" }] }], ...config }),
    });
    return await response.json();
  };
  const schema = {
    type: "OBJECT",
    properties: { model: { type: "STRING", enum: ["flash", "pro"] }, why: { type: "STRING" } },
    required: ["model"],
  };
  expect(await ask({ generationConfig: { responseSchema: schema } })).toMatchObject(
    said('{"model":"flash"}'),
  );
  expect(await ask({})).toMatchObject(said("Fix the failing test"));
});

function said(text: string) {
  return { candidates: [{ content: { parts: [{ text }] } }] };
}
