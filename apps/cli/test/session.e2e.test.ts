import {
  FakeModelServer,
  Gate,
  afterTools,
  all,
  lastUserText,
  otherwise,
  pause,
  script,
  text,
  toolCall,
  when,
} from "@agentos/fake-model";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { AgentOsCommand, type CommandEnd } from "./agentos-command.ts";
import { jsonLines, waitForOutput } from "./output.ts";

const KEY = "made-up-key-8d1f";
const env = { MADE_UP_KEY: KEY };

const held = new Gate();
const command = (line: string) => toolCall("run_command", { command: line });
const model = script([
  when(all(lastUserText(/two tools/), afterTools())).reply(text("Both done.")),
  when(lastUserText(/two tools/)).reply([
    text("Looking."),
    command("sleep 0.3; echo slow-one"),
    command("echo quick-one"),
  ]),
  when(lastUserText(/escape/)).reply(text(["red \u001b[31", "m\u001b]0;owned\u0007 \u009bm end"])),
  when(lastUserText(/wait/)).reply([text("Waiting."), pause(held)]),
  when(lastUserText(/for ever/)).reply(command("echo again")),
  when(all(lastUserText(/may I/), afterTools())).reply(({ newResults }) =>
    text(`answer: ${newResults[0]?.result.text}`),
  ),
  when(lastUserText(/may I/)).reply(command("touch /tmp/asked")),
  otherwise().reply(({ lastUserText: said, turn }) => text(`${turn}: ${said}`)),
]);

let agentos: AgentOsCommand;
let server: FakeModelServer;

beforeAll(async () => {
  agentos = await AgentOsCommand.create();
  server = await FakeModelServer.start({ script: model });
  await agentos.run(["run", "--no-copy", "--name", "work", "--", "true"]);
});
afterAll(async () => {
  await agentos[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const session = (...args: string[]): Promise<CommandEnd> =>
  agentos.run(["session", ...args], { env });
/** What a command needs to know of the model. */
const at = (): string[] => ["--key-variable", "MADE_UP_KEY", "--base-url", `${server.url}/v1`];
const start = (...args: string[]): Promise<CommandEnd> =>
  session("start", "--runtime", "anthropic", ...at(), "--vm", "work", ...args);
const startJson = async (...args: string[]): Promise<Record<string, unknown>[]> =>
  jsonLines((await start("--json", ...args)).stdout);
const json = async (...args: string[]): Promise<unknown> =>
  JSON.parse((await session(...args, "--json")).stdout);

describe("session start", () => {
  test("shows text, each tool with its own lines and time, and what was used", async () => {
    const { exitCode, stdout, stderr } = await start("--id", "tools", "two tools");
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "session tools in VM work\n" });
    const slow = "run_command sleep 0.3; echo slow-one";
    const quick = "run_command echo quick-one";
    expect(stdout).toMatch(/^Looking\.\n/);
    expect(stdout).toContain(`● ${slow}\n● ${quick}\n`);
    // Two at once: what comes is under the name of the tool that it is from.
    expect(stdout).toMatch(/quick-one\n {4}│ quick-one\n/);
    expect(stdout).toMatch(/ {2}run_command sleep 0\.3; echo slow-one\n {4}│ slow-one\n/);
    expect(stdout.match(/ {2}✓ \([\d.]+ m?s\)\n/g)).toHaveLength(2);
    expect(stdout).toMatch(/\nBoth done\.\n[\d.]+ m?s · [\d,]+ tokens in, \d+ out · \$?[^\n]+\n$/);
  });

  test("what can't be is refused before there is a VM or a session for it", async () => {
    const before = await json("list");
    const about = ["start", "--runtime", "anthropic", ...at()];
    for (const [args, exitCode, message] of [
      [[...about, ""], 64, "Expected a prompt that says something"],
      [about, 64, "without a prompt the session needs --vm"],
      [[...about, "--copy", "/nowhere/at/all", "hi"], 125, "--copy: expected a directory"],
      [[...about, "--allow", "a tool", "hi"], 125, "expected a tool's name, SERVER/TOOL"],
      [["prompt", "nobody", "hi"], 125, "agentos session list"],
    ] as const) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const end = await session(...args);
      expect([args, end.exitCode, end.stderr]).toEqual([
        args,
        exitCode,
        expect.stringContaining(message),
      ]);
    }
    expect(await json("list")).toEqual(before);
    expect(await agentos.json(["ps"])).toMatchObject({ vms: [{ name: "work" }] });
  });

  test("without --vm its VM and session end with it", async () => {
    const { exitCode, stdout } = await session("start", "--runtime", "anthropic", ...at(), "hi");
    expect({ exitCode, said: stdout.split("\n")[0] }).toEqual({ exitCode: 0, said: "0: hi" });
    expect(await agentos.json(["ps"])).toMatchObject({ vms: [{ name: "work" }] });
  });

  test("--json prints a line per event", async () => {
    const events = await startJson("--id", "lines", "two tools");
    expect(events[0]).toMatchObject({ event: "session", sessionId: "lines" });
    const types = events.slice(1).map(({ type }) => type);
    for (const type of ["turn_start", "text", "tool_call", "tool_output", "tool_result"])
      expect(types).toContain(type);
    expect(events.at(-1)).toMatchObject({ type: "turn_end", result: { stopReason: "end_turn" } });
    const seqs = events.slice(1).map(({ seq }) => Number(seq));
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    expect(JSON.stringify(events)).not.toContain(KEY);
  });

  test("neutralises what could drive the terminal", async () => {
    const { exitCode, stdout } = await start("escape");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("red ");
    expect(stdout).toContain(" end\n");
    expect(stdout).not.toMatch(/[^\P{Cc}\n]/u);
  });

  test("a turn that a budget stops is 3, and says which", async () => {
    const { exitCode, stdout } = await start("--budget-turns", "2", "for ever");
    expect(exitCode).toBe(3);
    expect(stdout).toContain("✗ the session's budget of 2 turns is used up: 2\n");
  });

  test("a permission is denied where no person is at the terminal", async () => {
    const { exitCode, stdout, stderr } = await start("--ask", "run_command", "may I");
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    expect(stdout).toMatch(/✗ denied: /);
    expect(stdout).toContain("\nanswer: no person is at a terminal to ask\n");
    expect((await agentos.run(["exec", "work", "--", "test", "-e", "/tmp/asked"])).exitCode).toBe(
      1,
    );
  });

  test("Ctrl-C cancels the turn, and is 130", async () => {
    const line = ["session", "start", "--runtime", "anthropic", ...at(), "--vm", "work"];
    const running = agentos.start([...line, "--id", "stopped", "wait"], { env });
    await waitForOutput(running.stdout, "Waiting.");
    running.kill("SIGINT");
    const { exitCode, stdout } = await running.ended;
    expect(exitCode).toBe(130);
    expect(stdout).toMatch(/! stopped: cancelled\n/);
    expect(await json("show", "stopped")).toMatchObject({ state: "idle", queued: 0 });
  });
});

describe("a session in a named VM", () => {
  test("is listed, shown, prompted, watched, forked and deleted", async () => {
    expect((await start("--id", "talk", "first")).stdout).toMatch(/^0: first\n/);
    expect((await session("prompt", "talk", "second")).stdout).toMatch(/^1: second\n/);
    expect(await json("list")).toMatchObject({
      sessions: expect.arrayContaining([
        expect.objectContaining({ sessionId: "talk", state: "idle", turns: 2 }),
      ]),
    });
    const { stdout: table } = await session("list");
    expect(table).toMatch(/^SESSION +RUNTIME +MODEL +STATE/);
    expect(table).toMatch(/\ntalk +api +claude-[\w-]+ +idle +2 /);
    expect((await session("show", "talk")).stdout).toMatch(/says +1: second\n$/);

    const forked = await session("fork", "talk", "--vm", "other");
    expect(forked.exitCode).toBe(0);
    const other = forked.stdout.trim();
    expect((await session("prompt", other, "third")).stdout).toMatch(/^2: third\n/);
    expect((await session("prompt", "talk", "fourth")).stdout).toMatch(/^2: fourth\n/);
    expect((await session("delete", other)).stdout).toBe(`${other}\n`);
    expect((await session("show", other)).exitCode).toBe(125);
    await agentos.run(["rm", "other"]);
  });

  test("is watched by attach to its end", async () => {
    await start("--id", "watched", "first");
    const watching = agentos.start(["session", "attach", "watched", "--all"], { env });
    await waitForOutput(watching.stdout, "0: first");
    const seen = waitForOutput(watching.stdout, "1: more");
    await session("prompt", "watched", "more");
    await seen;
    await session("delete", "watched");
    const { exitCode, stdout, stderr } = await watching.ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(/^> first\n0: first\n[^\n]+\n> more\n1: more\n/);
  });

  test("attach is left by Ctrl-C, and the session goes on", async () => {
    await start("--id", "left", "first");
    const watching = agentos.start(["session", "attach", "left", "--all"], { env });
    await waitForOutput(watching.stdout, "0: first");
    watching.kill("SIGINT");
    expect((await watching.ended).exitCode).toBe(130);
    expect((await session("prompt", "left", "on")).stdout).toMatch(/^1: on\n/);
  });

  test("is cancelled from elsewhere", async () => {
    await start("--id", "busy", "first");
    expect((await session("cancel", "busy")).stdout).toBe("no turn was running\n");
    const running = agentos.start(["session", "prompt", "busy", "wait"], { env });
    await waitForOutput(running.stdout, "Waiting.");
    expect((await session("cancel", "busy")).stdout).toMatch(/^turn-[\w-]+\n$/);
    expect((await running.ended).exitCode).toBe(130);
  });

  test("is resumed in another VM when its own has ended", async () => {
    await agentos.run(["run", "--no-copy", "--name", "short", "--", "true"]);
    const line = ["start", "--runtime", "anthropic", ...at(), "--vm", "short"];
    await session(...line, "--id", "kept", "first");
    await agentos.run(["rm", "short"]);
    expect((await session("prompt", "kept", "more")).exitCode).toBe(125);
    expect((await session("resume", "kept", "more")).stderr).toContain("say with --vm where");
    const resumed = ["resume", "kept", "more", "--vm", "work"];
    const { exitCode, stdout, stderr } = await session(...resumed);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "session kept goes on\n" });
    expect(stdout).toMatch(/^1: more\n/);
  });
});

describe("what is wrong", () => {
  test("wrong arguments are 64", async () => {
    for (const args of [
      ["start", "hi"],
      ["start", "--runtime", "anthropic", "--budget-turns", "none", "hi"],
      ["start", "--runtime", "anthropic", "--cwd", "not/absolute", "hi"],
      ["prompt", "talk"],
      ["fork", "talk"],
      ["fork", "talk", "--vm", "../x"],
      ["no-such-command"],
    ])
      expect({ args, exitCode: (await session(...args)).exitCode }).toEqual({ args, exitCode: 64 });
  });

  test("a missing key names the variables", async () => {
    const asked = await session(
      "start",
      "--runtime",
      "anthropic",
      "--key-variable",
      "NOT_SET",
      "--vm",
      "work",
      "hi",
    );
    expect(asked).toMatchObject({ exitCode: 125, stdout: "" });
    expect(asked.stderr).toContain("NOT_SET");
    const own = await session("start", "--runtime", "openai", "--vm", "work", "hi");
    expect(own).toMatchObject({ exitCode: 125, stdout: "" });
    expect(own.stderr).toContain("OPENAI_API_KEY");
  });

  test("an unknown runtime names those that there are", async () => {
    const { exitCode, stderr } = await session(
      "start",
      "--runtime",
      "parrot",
      "--vm",
      "work",
      "hi",
    );
    expect(exitCode).toBe(125);
    expect(stderr).toMatch(/parrot.*api.*anthropic/);
  });

  test("an unknown session and an ambiguous beginning", async () => {
    for (const args of [["show"], ["cancel"], ["delete"], ["attach"], ["resume"]]) {
      const { exitCode, stderr } = await session(...args, "nobody");
      expect({ args, exitCode }).toEqual({ args, exitCode: 125 });
      expect(stderr).toContain("there is no session nobody");
    }
    await start("--id", "twin-1", "hi");
    await start("--id", "twin-2", "hi");
    expect((await session("show", "twin-")).stderr).toContain("more than one session begins with");
    expect((await session("show", "twin-2")).exitCode).toBe(0);
    const refused = await session("fork", "twin-1", "--vm", "work");
    expect(refused).toMatchObject({ exitCode: 125, stdout: "" });
    expect((await agentos.run(["exec", "work", "--", "true"])).exitCode).toBe(0);
  });

  test("an empty prompt is refused, and no turn is made", async () => {
    await start("--id", "empty", "first");
    const { exitCode, stderr } = await session("prompt", "empty", "  ");
    expect({ exitCode, stderr }).toEqual({
      exitCode: 64,
      stderr: expect.stringContaining("Expected a prompt that says something"),
    });
    expect(await json("show", "empty")).toMatchObject({ turns: 1 });
  });
});
