import { FakeModelServer, otherwise, script, text, toolCall, when } from "@agentos/fake-model";
import type { ContentPart } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import { TestHost, toolInfo } from "../test-host.ts";
import { ANTHROPIC, PROVIDERS, TestAgent } from "./api-fixture.ts";

const ok = script([otherwise().reply(text("Ok."))]);
/** One red pixel. */
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

describe.for(PROVIDERS)("what $name is told", (provider) => {
  test("images and files, as data or by their path in the VM", async () => {
    await using server = await FakeModelServer.start({ script: ok });
    const host = await TestHost.start();
    host.fakeVm.files.tree.writeText("/workspace/notes.txt", "the notes of the VM");
    await using agent = await TestAgent.open({ url: server.url, host, provider });
    const result = await agent.prompt([
      { type: "text", text: "Look at these." },
      { type: "image", mediaType: "image/png", data: PNG },
      { type: "file", mediaType: "text/plain", name: "notes", path: "/workspace/notes.txt" },
    ]);
    expect(result).toMatchObject({ stopReason: "end_turn" });
    const { body } = await server.journal.next();
    expect(JSON.stringify(body)).toContain(PNG);
    expect(JSON.stringify(body)).toContain("the notes of the VM");
    // Kept as it was sent: the file may change.
    expect(JSON.stringify(host.entries)).toContain("the notes of the VM");
  });

  test("an image of a tool's result", async () => {
    await using server = await FakeModelServer.start({
      script: script([
        otherwise().times(1).reply(toolCall("draw", {})),
        otherwise().reply(text("Ok.")),
      ]),
    });
    const host = await TestHost.start({
      tools: { draw: () => [{ type: "image", mediaType: "image/png", data: PNG }] },
    });
    await using agent = await TestAgent.open({ url: server.url, host, provider });
    await expect(agent.prompt("Draw.")).resolves.toMatchObject({ stopReason: "end_turn" });
    const body = server.journal.entries.at(-1)?.body;
    expect(JSON.stringify(body)).toContain(PNG.slice(0, 40));
  });

  test.for([
    ["Only this.", /^Only this\.$/],
    [{ append: "And this." }, /isolated virtual machine.*And this\./s],
    [
      { identity: "You are Ada.", sections: [{ title: "Rules", content: "Be kind." }] },
      /^You are Ada\.\n\n## Rules\n\nBe kind\./,
    ],
  ] as const)("%# the system's words", async ([systemPrompt, expected]) => {
    await using server = await FakeModelServer.start({ script: ok });
    const host = await TestHost.start();
    const spec = {
      systemPrompt:
        typeof systemPrompt === "object" && "sections" in systemPrompt
          ? { ...systemPrompt, sections: [...systemPrompt.sections] }
          : systemPrompt,
    };
    await using agent = await TestAgent.open({ url: server.url, host, provider, spec });
    await agent.prompt("Hi.");
    const { request } = await server.journal.next();
    expect(request?.system).toMatch(expected);
  });

  test("thinking, the longest answer, and what the engine announces", async () => {
    await using server = await FakeModelServer.start({ script: ok });
    const host = await TestHost.start();
    await using agent = await TestAgent.open({
      url: server.url,
      host,
      provider,
      spec: { thinking: "high", maxOutputTokens: 9_000 },
      announcements: ["You work in /workspace."],
    });
    await agent.prompt("Hi.");
    const { body, request } = await server.journal.next();
    expect(request?.system).toContain("You work in /workspace.");
    // A thinking budget of Anthropic's comes on top.
    expect(JSON.stringify(body)).toMatch(/"max[a-zA-Z_]*tokens":(?:9000|\d{5})/i);
    // A chat model that can't think is not asked to.
    const thinks = !["openai-chat", "openai-compatible"].includes(provider.name);
    expect(JSON.stringify(body)).toMatch(thinks ? /thinking|reasoning/ : /./);
  });

  test("tools of one name but different servers", async () => {
    await using server = await FakeModelServer.start({
      script: script([
        when(({ step }) => step === 0).reply(({ tools }) =>
          tools.map(({ name }) => toolCall(name, {})),
        ),
        otherwise().reply(text("Ok.")),
      ]),
    });
    const host = await TestHost.start({ tools: { look: () => "seen" } });
    const tools = [
      toolInfo("look"),
      toolInfo("look", { server: "a", source: "mcp" }),
      toolInfo("look", { server: "b", source: "mcp" }),
    ];
    await using agent = await TestAgent.open({ url: server.url, host, provider, tools });
    await agent.prompt("Look everywhere.");
    expect(host.calls.map(({ name, server: of }) => [name, of])).toEqual([
      ["look", undefined],
      ["look", "a"],
      ["look", "b"],
    ]);
  });
});

describe("what is told", () => {
  test.for<[ContentPart, string]>([
    [{ type: "image", mediaType: "image/png" }, "INVALID_ARGUMENT"],
    [{ type: "image", mediaType: "image/png", path: "/workspace/none.png" }, "FILE_SYSTEM"],
  ])(
    "%# an attachment that can't be read fails the turn before the model is asked",
    async ([part, code]) => {
      await using server = await FakeModelServer.start({ script: ok });
      const host = await TestHost.start();
      await using agent = await TestAgent.open({ url: server.url, host });
      await expect(agent.prompt([part])).rejects.toMatchObject({ code });
      expect(server.journal.entries).toHaveLength(0);
      // The conversation is as it was.
      await expect(agent.prompt("Hi.")).resolves.toMatchObject({ text: "Ok." });
    },
  );

  test("Anthropic is told what to cache", async () => {
    await using server = await FakeModelServer.start({ script: ok });
    const host = await TestHost.start();
    await using agent = await TestAgent.open({ url: server.url, host, provider: ANTHROPIC });
    await agent.prompt("Hi.");
    const { body } = await server.journal.next();
    expect(JSON.stringify(body).match(/cache_control/g)).toHaveLength(2);
  });

  test("OpenAI is told to keep nothing", async () => {
    await using server = await FakeModelServer.start({ script: ok });
    const host = await TestHost.start();
    const provider = PROVIDERS.find(({ name }) => name === "openai");
    await using agent = await TestAgent.open({ url: server.url, host, provider });
    await agent.prompt("Hi.");
    const { body } = await server.journal.next();
    expect(body).toMatchObject({ store: false });
  });

  test("a stop hook's word is the system's, not the user's", async () => {
    await using server = await FakeModelServer.start({ script: ok });
    const host = await TestHost.start();
    await using agent = await TestAgent.open({ url: server.url, host });
    await agent.prompt("Hi.");
    await agent.prompt("The tests still fail.", { from: "hook" });
    const last = server.journal.entries.at(-1)?.request;
    expect(JSON.stringify(last?.messages)).toMatch(/not from the user.*The tests still fail\./s);
  });
});
