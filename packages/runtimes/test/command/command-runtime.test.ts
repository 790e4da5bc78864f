import type { FakeProgram } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { CommandRuntime } from "../../src/command/command-runtime.ts";
import { ProgramAgent } from "../agent-fixture.ts";
import { TestHost } from "../test-host.ts";

const PROGRAMS: Record<string, FakeProgram> = {
  /** Its arguments, then its stdin. */
  reply: async ({ argv, stdin, stdout }) => {
    await stdout(argv.slice(1).join("|"));
    for await (const bytes of stdin) await stdout(bytes);
    await stdout("\n");
    return 0;
  },
  fails: async ({ stdout, stderr, argv }) => {
    await stdout(argv[1] ?? "");
    await stderr("what went wrong\n");
    return 7;
  },
  pieces: async ({ stdout }) => {
    for (const byte of Buffer.from("é🙂 done\n")) await stdout(Uint8Array.of(byte));
    return 0;
  },
  hangs: async (context) => {
    await context.stdout("so far");
    context.trap("SIGTERM", () => undefined);
    await new Promise((resolve) => context.ended.addEventListener("abort", resolve));
    return 0;
  },
};

async function open(command: string, args: string[] = [], spec = {}) {
  const host = await TestHost.start({ programs: PROGRAMS });
  const runtime = new CommandRuntime();
  const agent = await ProgramAgent.open({ runtime, host, spec: { command, args, ...spec } });
  return { agent, host };
}

describe("the runtime command", () => {
  test("gives the prompt on stdin, and its output is the reply", async () => {
    const { agent, host } = await open("reply");
    expect(await agent.prompt("first\nsecond")).toEqual({
      stopReason: "end_turn",
      text: "first\nsecond",
    });
    expect(host.told("text")).toBe("first\nsecond\n");
    expect(await agent.prompt("again")).toMatchObject({ text: "again" });
    expect(host.fakeVm.running).toEqual([]);
  });

  test("gives the prompt as an argument where one has a place for it, as it is", async () => {
    const { agent } = await open("reply", ["-p", "{prompt}", "--say={prompt}"]);
    const prompt = "$& {prompt} 'quoted' \"too\"\nnext line";
    expect(await agent.prompt(prompt)).toMatchObject({ text: `-p|${prompt}|--say=${prompt}` });
  });

  test("text that comes in pieces of characters is whole", async () => {
    const { agent, host } = await open("pieces");
    expect(await agent.prompt("go")).toMatchObject({ text: "é🙂 done" });
    expect(host.told("text")).toBe("é🙂 done\n");
  });

  test("an exit code other than 0 is a failure, whatever was written", async () => {
    const { agent } = await open("fails", ["some text"]);
    expect(await agent.prompt("go")).toMatchObject({
      stopReason: "error",
      text: "some text",
      error: {
        code: "AGENT_EXITED",
        details: { exitCode: 7, signal: null, stderr: ["what went wrong"] },
      },
    });
    const silent = await open("fails");
    expect(await silent.agent.prompt("go")).toMatchObject({ stopReason: "error", aborted: true });
  });

  test("a cancelled turn is over when its program is gone, and the next one works", async () => {
    const { agent, host } = await open("hangs");
    const controller = new AbortController();
    const turn = agent.prompt("go", { signal: controller.signal });
    await expect.poll(() => host.told("text")).toBe("so far");
    controller.abort();
    expect(await turn).toEqual({ stopReason: "cancelled", text: "so far" });
    expect(host.fakeVm.running).toEqual([]);
  });

  test("ending the session ends its program", async () => {
    const { agent, host } = await open("hangs");
    const turn = agent.prompt("go");
    await expect.poll(() => host.told("text")).toBe("so far");
    await agent.session[Symbol.asyncDispose]();
    expect(await turn).toMatchObject({ stopReason: "error" });
    expect(host.fakeVm.running).toEqual([]);
  });

  test("attachments are files of the VM", async () => {
    const { agent, host } = await open("reply");
    const data = Buffer.from("a picture").toString("base64");
    const { text } = await agent.prompt([
      { type: "text", text: "Look:" },
      { type: "image", mediaType: "image/png", data },
      { type: "file", mediaType: "text/plain", path: "/workspace/notes.txt" },
    ]);
    const [, image = "", notes] = text.split("\n");
    const path = /^\[image\/png: (.*)\]$/.exec(image)?.[1] ?? "";
    expect(host.fakeVm.files.tree.readText(path)).toBe("a picture");
    expect(notes).toBe("[text/plain: /workspace/notes.txt]");
    await expect(agent.prompt([{ type: "image", mediaType: "image/png" }])).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  test("what it can't do is refused before anything starts", async () => {
    const runtime = new CommandRuntime();
    const spec = { sessionId: "session-1", runtime: "command", command: "reply" };
    await expect(runtime.check({ ...spec, command: undefined })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      details: { argument: "session.command" },
    });
    await expect(runtime.check({ ...spec, systemPrompt: "Be brief." })).rejects.toMatchObject({
      code: "UNSUPPORTED",
    });
    const budget = { usd: 1 };
    await expect(runtime.check({ ...spec, budget })).rejects.toMatchObject({
      code: "UNSUPPORTED",
      details: { instead: "provider, so that its model calls go through the gateway" },
    });
    await runtime.check({ ...spec, budget, provider: { name: "anthropic" } });
    await runtime.check({ ...spec, budget: { wallMs: 1_000 } });
    await expect(open("nonesuch").then(({ agent }) => agent.prompt("go"))).rejects.toMatchObject({
      code: "COMMAND_NOT_FOUND",
    });
  });

  test("a program with a provider finds its model, and one with tools its door", async () => {
    const runtime = new CommandRuntime();
    for (const [api, expected] of [
      ["anthropic", { ANTHROPIC_BASE_URL: "http://127.0.0.1:1", ANTHROPIC_API_KEY: "token" }],
      ["openai", { OPENAI_BASE_URL: "http://127.0.0.1:1/v1", OPENAI_API_KEY: "token" }],
      ["gemini", { GOOGLE_GEMINI_BASE_URL: "http://127.0.0.1:1", GEMINI_API_KEY: "token" }],
    ] as const) {
      const tools = { weather: () => "sunny" };
      const host = await TestHost.start({ programs: PROGRAMS, tools, api });
      const spec = { command: "env", provider: { name: api }, env: { OWN: "1" } };
      const agent = await ProgramAgent.open({ runtime, host, spec });
      const { text } = await agent.prompt("go");
      const env = Object.fromEntries(text.split("\n").map((line) => line.split(/=(.*)/s)));
      expect(env).toMatchObject({ ...expected, OWN: "1", AGENTOS_TEST_DOOR: "open" });
    }
  });
});
