import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

import { expect, test } from "vitest";

import { DEMO_FIX } from "../src/demo/demo-project.ts";
import { AgentOsCommand } from "./agentos-command.ts";
import { jsonLines } from "./output.ts";

const project = fileURLToPath(new URL("../../../examples/word-count", import.meta.url));

test("the demo sees one test fail, has an agent fix it, and sees all pass", async () => {
  await using agentos = await AgentOsCommand.create();
  const { exitCode, stdout, stderr } = await agentos.run(["demo"]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(stdout).toBe(stripVTControlCharacters(stdout));
  for (const said of [
    /sidecar \d+: started/,
    /VM [\w-]+: driver linux/,
    /exit code 1: one fails/,
    /The model is scripted: a program of this repository plays it\. Nothing is spent/,
    /● run_command npm test/,
    /● edit_file src\/count-words\.js/,
    /tokens in, [\d,]+ out · \$\d/,
    /the agent stopped: end_turn/,
    /exit code 0: all of them pass/,
  ]) {
    expect(stdout).toMatch(said);
  }
  expect(stdout).toContain("    │ ✖ white space around the text is no word");
  expect(stdout).toContain("    │ ✔ white space around the text is no word");
  expect(stdout).toContain(`    -   ${DEMO_FIX.wrong}\n    +   ${DEMO_FIX.right}`);
  expect(stdout).toMatch(/Summary\n(?: {2}[a-zA-Z ]+ {2,}[\d.]+ m?s\n)+$/);
  // The clone is as it was.
  expect(await readFile(`${project}/${DEMO_FIX.path}`, "utf8")).toContain(DEMO_FIX.wrong);
  expect(await agentos.json(["ps"])).toEqual({ running: true, vms: [] });
});

test("a second demo finds the sidecar, and with --json prints a line per event", async () => {
  await using agentos = await AgentOsCommand.create();
  await agentos.run(["up"]);
  const { exitCode, stdout } = await agentos.run(["demo", "--json"]);
  expect(exitCode).toBe(0);
  const events = jsonLines(stdout);
  expect(events[0]).toMatchObject({
    event: "step",
    step: "sidecar",
    text: expect.stringContaining("found"),
  });
  expect(events.find(({ type }) => type === "turn_end")).toMatchObject({
    result: { stopReason: "end_turn", usage: { outputTokens: expect.any(Number) } },
  });
  expect(events.at(-1)).toMatchObject({ event: "summary", totalMs: expect.any(Number) });
});

test("a model whose key is missing is said before anything is spent", async () => {
  await using agentos = await AgentOsCommand.create();
  const { exitCode, stderr } = await agentos.run(["demo", "--provider", "anthropic"]);
  expect(exitCode).toBe(125);
  expect(stderr).toMatch(/^agentos: no key for anthropic: .*ANTHROPIC_API_KEY\n/);
});

test("the fix is in the project, once, and makes its tests pass", async () => {
  const source = await readFile(`${project}/${DEMO_FIX.path}`, "utf8");
  expect(source.split(DEMO_FIX.wrong)).toHaveLength(2);
});
