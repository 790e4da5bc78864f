import type { SessionSpec } from "@agentos/protocol";
import type { FakeProgram } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { PiRuntime } from "../../src/pi/pi-runtime.ts";
import { ProgramAgent } from "../agent-fixture.ts";
import { replay } from "../recorded-program.ts";
import { TestHost, type TestHostOptions } from "../test-host.ts";

interface OpenOptions extends TestHostOptions {
  readonly spec?: Partial<SessionSpec>;
  readonly agentSessionId?: string;
  readonly version?: string;
}

async function open(program: FakeProgram, options: OpenOptions = {}) {
  const { spec, agentSessionId, version = "0.87.1", ...more } = options;
  const pi: FakeProgram = async (context) => {
    if (context.argv[1] !== "--version") return await program(context);
    await context.stdout(`${version}\n`);
    return 0;
  };
  const host = await TestHost.start({
    api: "anthropic",
    programs: { pi },
    tools: { weather: (input) => `sunny in ${JSON.stringify(input)}` },
    authorize: async ({ input }) => ({ allow: true, input }),
    ...more,
  });
  const agent = await ProgramAgent.open({
    runtime: new PiRuntime(),
    host,
    spec: { command: "pi", provider: { name: "anthropic" }, model: "model-a", ...spec },
    agentSessionId,
    announcements: ["You work in /workspace."],
  });
  return { host, agent };
}

/** A stand-in that answers commands, and runs a turn as `lines` say. */
function standIn(lines: readonly object[]): FakeProgram {
  return async ({ stdin, stdout }) => {
    const say = (line: object): Promise<void> => stdout(`${JSON.stringify(line)}\n`);
    let rest = "";
    for await (const bytes of stdin) {
      const all = (rest + Buffer.from(bytes).toString()).split("\n");
      rest = all.pop() ?? "";
      for (const { id, type } of all.map((line) => JSON.parse(line))) {
        const data = type === "get_state" ? { sessionId: "pi-session-1" } : {};
        const isGood = type !== "set_model";
        await say({ type: "response", id, command: type, success: isGood, data, error: "no such" });
        if (type === "prompt") for (const line of lines) await say(line);
      }
    }
    return 0;
  };
}

const lost: FakeProgram = async ({ stderr }) => {
  await stderr("No session found matching 'other'\n");
  return 1;
};

describe("the runtime pi", () => {
  test("[pi.recorded] tools asked about, the session's tools, a cancel, and failures, as the real one said", async () => {
    const recording = await replay(new URL("recordings/turns.jsonl", import.meta.url), {
      kindOf: ({ type }) => JSON.stringify(type),
      idOf: ({ id, type }) =>
        typeof id === "string" && type !== "extension_ui_response" ? id : undefined,
    });
    let isAllowed = true;
    const { agent, host } = await open(recording.program, {
      authorize: async ({ input }) => ({ allow: isAllowed, message: "not today", input }),
    });
    expect(host.sessionIds).toEqual([]);
    expect(await agent.prompt("SHELL JOB")).toEqual({
      stopReason: "end_turn",
      text: "The shell said: seen",
    });
    expect(host.sessionIds).toHaveLength(1);
    expect(host.told("text")).toBe("I will look. The shell said: seen\n");
    expect(host.calls).toEqual([
      { callId: "toolu_fake_1", name: "bash", input: { command: "echo seen" } },
    ]);
    expect(host.results).toMatchObject([
      { callId: "toolu_fake_1", outcome: "ok", content: [{ text: "seen\n" }] },
    ]);
    expect(await agent.prompt("WEATHER")).toMatchObject({ text: "It is sunny in Oslo" });
    expect(host.calls.at(-1)).toMatchObject({ name: "weather", input: { city: "Oslo" } });
    isAllowed = false;
    expect(await agent.prompt("SHELL JOB again")).toMatchObject({ stopReason: "end_turn" });
    expect(host.results.at(-1)).toMatchObject({
      outcome: "denied",
      content: [{ text: "not today" }],
    });
    const controller = new AbortController();
    const slow = agent.prompt("SLOW", { signal: controller.signal });
    await expect.poll(() => host.told("text")).toContain("slow begins");
    controller.abort();
    expect(await slow).toEqual({ stopReason: "cancelled", text: "slow begins" });
    expect(await agent.prompt("NEXT")).toEqual({ stopReason: "end_turn", text: "next works" });
    expect(await agent.prompt("FAIL")).toMatchObject({
      stopReason: "error",
      error: { code: "PROVIDER_FAILED", details: { status: 500 } },
    });
    expect(await agent.prompt("AUTH")).toMatchObject({
      stopReason: "error",
      error: { code: "PROVIDER_REFUSED", details: { status: 401 } },
    });
    await agent.session[Symbol.asyncDispose]();
    expect(host.fakeVm.running).toEqual([]);
  });

  test("[pi.settings] its model, its tools and the system's words are the session's", async () => {
    const argv: string[][] = [];
    const { host } = await open(
      async (context) => {
        argv.push([...context.argv]);
        return await standIn([])(context);
      },
      { spec: { systemPrompt: { append: "Be brief." }, thinking: "low" } },
    );
    const folder = "/home/agent/.agentos/pi/session-1";
    const read = (name: string): unknown =>
      JSON.parse(host.fakeVm.files.tree.readText(`${folder}/${name}`));
    expect(read("models.json")).toMatchObject({
      providers: { agentos: { baseUrl: "http://127.0.0.1:1", api: "anthropic-messages" } },
    });
    expect(read("settings.json")).toEqual({ retry: { enabled: false } });
    expect(read("tools.json")).toMatchObject([{ name: "weather" }]);
    const [line = []] = argv;
    expect(line.join("\n")).toContain(
      "--append-system-prompt\nBe brief.\n\nYou work in /workspace.",
    );
    expect(line.join("\n")).toContain("--thinking\nlow");
    expect(JSON.stringify(line)).not.toContain("token");
  });

  test("[pi.resume] a session that it does not know is lost; its end in the middle is an exit", async () => {
    await expect(open(lost, { agentSessionId: "other" })).rejects.toMatchObject({
      code: "RESUME_LOST",
      details: { reason: "No session found matching 'other'" },
    });
    const answer = { type: "message_end", message: { role: "assistant", stopReason: "toolUse" } };
    const { agent, host } = await open(standIn([{ type: "agent_start" }, answer]));
    const turn = agent.prompt("go");
    await expect.poll(() => host.sessionIds).toEqual(["pi-session-1"]);
    for (const process of host.fakeVm.running) process.signal("SIGKILL", "process");
    expect(await turn).toMatchObject({
      stopReason: "error",
      error: { code: "AGENT_EXITED", details: { signal: "SIGKILL" } },
      aborted: false,
    });
  });

  test("[pi.bad-input] what is no line of its own is kept, and a dialog for a person gets no answer", async () => {
    const { agent, host } = await open(
      standIn([
        { type: "agent_start" },
        ["not", "a", "line"],
        {
          type: "message_end",
          message: { role: "assistant", content: [{ type: "text", text: "a" }] },
        },
        { type: "extension_ui_request", id: "d1", method: "confirm", title: "Sure?" },
        {
          type: "extension_ui_request",
          id: "d2",
          method: "input",
          title: "agentos",
          placeholder: "{",
        },
        { type: "tool_execution_end", toolCallId: 5 },
        { type: "agent_settled" },
      ]),
    );
    expect(await agent.prompt("go")).toEqual({ stopReason: "end_turn", text: "a" });
    expect(host.of("raw").map(({ value }) => value)).toContainEqual(["not", "a", "line"]);
    await expect(agent.session.setModel?.("none")).rejects.toMatchObject({
      code: "MODEL_SWITCH_FAILED",
      details: { model: "none", reason: "no such" },
    });
  });

  test("[pi.check] another version, provider or model is refused before anything starts", async () => {
    await expect(open(standIn([]), { version: "0.73.1" })).rejects.toMatchObject({
      code: "AGENT_VERSION",
      details: { version: "0.73.1" },
    });
    const runtime = new PiRuntime();
    const spec = { sessionId: "session-1", runtime: "pi" };
    await expect(runtime.check(spec)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(
      runtime.check({ ...spec, provider: { name: "openai-compatible", baseUrl: "http://a" } }),
    ).rejects.toMatchObject({ details: { argument: "session.model" } });
  });
});
