import {
  FakeModelServer,
  afterTools,
  all,
  lastUserText,
  otherwise,
  script,
  text,
  toolCall,
  when,
} from "@agentos/fake-model";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { AgentOsCommand, type CommandEnd } from "./agentos-command.ts";

const env = { MADE_UP_KEY: "made-up-key-8d1f" };

const model = script([
  when(all(lastUserText(/tell Bob/), afterTools())).reply(text("told")),
  when(lastUserText(/tell Bob/)).reply(toolCall("relay_send", { to: "Bob", text: "from Alice" })),
  when(all(lastUserText(/from Alice/), afterTools())).reply(text("done")),
  when(lastUserText(/from Alice/)).reply(
    toolCall("relay_send", { to: "human:orchestrator", text: "red \u001b[31m heard" }),
  ),
  otherwise().reply(text("nothing to do")),
]);

let agentos: AgentOsCommand;
let server: FakeModelServer;

beforeAll(async () => {
  agentos = await AgentOsCommand.create();
  server = await FakeModelServer.start({ script: model });
});
afterAll(async () => {
  await agentos[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const run = (...args: string[]): Promise<CommandEnd> => agentos.run(args, { env });
const json = async (...args: string[]): Promise<Record<string, unknown>> => {
  const { stdout } = await run(...args, "--json");
  return JSON.parse(stdout);
};

describe("agentos agent", () => {
  test("[relay.command] starts a program as an agent, and sends, shows and releases it", async () => {
    const counter = ["agent", "spawn", "Counter", "--runtime", "command", "--vm", "work"];
    await expect(run(...counter, "--command", "wc", "--arg=-w")).resolves.toMatchObject({
      exitCode: 0,
      stdout: "Counter\n",
    });
    const sent = await run("send", "Counter", "x", "--wait", "answered");
    expect(sent.exitCode).toBe(0);
    await expect(run("agent", "logs", "Counter")).resolves.toMatchObject({ exitCode: 0 });
    await run("agent", "hold", "Counter");
    await run("send", "Counter", "kept");
    await expect(run("agent", "show", "counter")).resolves.toMatchObject({
      stdout: expect.stringContaining("1 messages, held"),
    });
    await expect(run("agent", "flush", "Counter")).resolves.toMatchObject({
      stdout: "1 messages\n",
    });
    await run("agent", "unhold", "Counter");
    await expect(json("agent", "list")).resolves.toMatchObject({
      agents: [{ name: "Counter", runtime: "command", state: "ready" }],
    });
    await expect(run("send", "nobody", "x")).resolves.toMatchObject({ exitCode: 125 });
    await expect(run("agent", "input", "Counter", "x")).resolves.toMatchObject({ exitCode: 125 });
    await expect(run("agent", "release", "counter", "--reason", "done")).resolves.toMatchObject({
      exitCode: 0,
    });
    await expect(json("agent", "show", "Counter")).resolves.toMatchObject({ state: "released" });
  });

  test("[relay.terminal] types into a program on a terminal, knows what it uses, and tells its end with its code", async () => {
    const typist = ["agent", "spawn", "Typist", "--runtime", "pty", "--vm", "work"];
    const missing = await run(...typist, "--command", "no-such-program");
    expect(missing.exitCode).toBe(127);
    await expect(run("agent", "show", "Typist")).resolves.toMatchObject({
      stdout: expect.stringContaining("dead"),
    });
    await expect(run(...typist, "--command", "sh")).resolves.toMatchObject({ exitCode: 0 });
    const typed = await json("agent", "input", "Typist", String.raw`touch /tmp/typed\n`);
    expect(typed).toEqual({ bytes: 17 });
    const isThere = async () =>
      (await run("exec", "work", "--", "test", "-e", "/tmp/typed")).exitCode;
    await expect.poll(isThere, { timeout: 10_000 }).toBe(0);
    await expect(json("metrics", "Typist")).resolves.toMatchObject({
      agents: [{ name: "Typist", memoryBytes: expect.any(Number), cpuMs: expect.any(Number) }],
    });
    await run("agent", "input", "Typist", String.raw`exit 3\n`);
    const crash = async () => (await json("health"))["recent"];
    await expect.poll(crash, { timeout: 10_000 }).toMatchObject([{ agent: "Typist", exitCode: 3 }]);
  });

  test("[relay.escapes-shown] what messages and agents say is shown, and obeyed by no terminal", async () => {
    const hostile = "\u001b]0;owned\u0007\u009b2J\u202e \r\ud83d\ude42 end";
    const spawn = ["agent", "spawn", "--runtime", "command", "--vm", "work", "--channel", "talk"];
    await run(...spawn, "Echo", "--command", "cat");
    await run(...spawn, "Stuck", "--command", "sleep", "--arg", "60");
    await run("send", "Echo", hostile, "--thread", "t\u001b[1m", "--wait", "answered");
    await run("send", "Stuck", "busy", "--wait", "consumed");
    await run("send", "Stuck", hostile, "--from", "human:kim");
    await run("send", "human:orchestrator", hostile, "--from", "Echo");
    await run("send", "#talk", hostile);
    await run("agent", "release", "Stuck", "--reason", hostile);
    const looks = [
      ["inbox"],
      ["inbox", "--json"],
      ["inbox", "--of", "human:kim"],
      ["threads"],
      ["threads", "t\u001b[1m"],
      ["channel", "history", "talk"],
      ["deadletters"],
      ["agent", "logs", "Echo"],
    ];
    for (const look of looks) {
      const { exitCode, stdout, stderr } = await run(...look);
      expect([look, exitCode, stderr]).toEqual([look, 0, ""]);
      // oxlint-disable-next-line no-control-regex -- That is what is looked for.
      expect(stdout).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
      expect(stdout).toContain(look.includes("human:kim") ? "released" : "owned");
    }
    await run("agent", "release", "Echo");
    await run("inbox", "--take");
  });

  test("[relay.command-talk] agents on models write to one another and to a person, whose terminal they can't drive", async () => {
    const of = ["--runtime", "anthropic", "--key-variable", "MADE_UP_KEY", "--vm", "work"];
    const at = ["--base-url", `${server.url}/v1`];
    for (const name of ["Alice", "Bob"]) {
      // oxlint-disable-next-line no-await-in-loop -- One command after the other.
      const spawned = await run("agent", "spawn", name, ...of, ...at);
      expect(spawned).toMatchObject({ exitCode: 0 });
    }
    await run("send", "Alice", "tell Bob", "--wait", "answered");
    const entries = async () => (await json("inbox"))["entries"];
    await expect.poll(entries, { timeout: 20_000 }).toMatchObject([{ message: { from: "Bob" } }]);
    const { stdout } = await run("inbox", "--take");
    expect(stdout).toContain("red \\x1b[31m heard");
    await expect(run("inbox")).resolves.toMatchObject({ stdout: "no messages\n" });
    await expect(run("threads")).resolves.toMatchObject({ exitCode: 0 });
    await expect(run("channel", "list")).resolves.toMatchObject({ exitCode: 0 });
    await expect(json("metrics")).resolves.toMatchObject({ relay: { active: 2 } });
    await expect(json("health")).resolves.toMatchObject({ score: 90 });
  });
});
