import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import {
  afterTools,
  FakeModelServer,
  Gate,
  otherwise,
  overloaded,
  pause,
  script,
  text,
  thinking,
  toolCall,
  unauthorized,
  when,
} from "@agentos/fake-model";
import type { TurnResult } from "@agentos/protocol";
import { ApiRuntime } from "@agentos/runtimes";
import { describe, expect, test } from "vitest";

import { TestSidecar } from "../sidecar-harness.ts";
import { SessionClient } from "./session-client.ts";

const KEY = "canary-key-51c09b";

const PROVIDERS = [
  ["anthropic", "/v1", "claude-sonnet-4-5"],
  ["openai", "/v1", "gpt-5"],
  ["gemini", "/v1beta", "gemini-2.5-flash"],
] as const;

/** Our own waits between tries pass at once. */
async function hurried(world: TestSidecar, result: Promise<TurnResult>): Promise<TurnResult> {
  let isSettled = false;
  void Promise.allSettled([result]).then(() => (isSettled = true));
  await expect
    .poll(() => {
      world.clock.advance(100);
      return isSettled;
    })
    .toBe(true);
  return await result;
}

/** Every file below a directory, in one text. */
async function everything(directory: string): Promise<string> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const contents = await Promise.all(
    files.map(({ parentPath, name }) => readFile(join(parentPath, name), "latin1")),
  );
  return contents.join("\n");
}

describe.for(PROVIDERS)("a session on %s", ([name, path, model]) => {
  test("[api.session] does its work with the real tools, over a failing model, and its key is nowhere", async () => {
    await using server = await FakeModelServer.start({
      script: script([
        when(({ turn }) => turn > 0).fail(unauthorized(`no such key: ${KEY}`)),
        when(afterTools("create_file")).times(1).fail(overloaded()),
        when(afterTools("create_file")).reply(toolCall("view_file", { path: "a.txt" })),
        when(afterTools("view_file")).reply(({ newResults }) =>
          text(`It says: ${newResults[0]?.result.text}`),
        ),
        otherwise().reply([
          text("Writing."),
          toolCall("create_file", { path: "a.txt", content: "hello there" }),
        ]),
      ]),
    });
    await using world = await TestSidecar.start({ runtimes: [new ApiRuntime()] });
    await using client = await world.connect();
    const session = await SessionClient.create(client, {
      runtime: name,
      model,
      provider: { name, baseUrl: `${server.url}${path}`, apiKey: KEY },
    });
    const result = await hurried(world, session.prompt("Write a file."));
    expect(result).toMatchObject({ stopReason: "end_turn", text: "It says: hello there" });
    expect(result.usage?.costUsd).toBeGreaterThan(0);
    const failed = await hurried(world, session.prompt("Again."));
    expect(failed).toMatchObject({ stopReason: "error", error: { code: "PROVIDER_REFUSED" } });
    const { events } = await session.events();
    const notices = events.flatMap((event) => (event.type === "notice" ? [event.message] : []));
    expect(notices.filter((each) => each.includes("try 2"))).toHaveLength(1);
    const calls = events.flatMap((event) => (event.type === "tool_call" ? [event.call.name] : []));
    expect(calls).toEqual(["create_file", "view_file"]);
    const info = await session.info();
    expect(info).toMatchObject({ runtime: "api", state: "idle", turns: 2 });
    const { sessionId } = session;
    const list = await client.peer.request("session.list", {});
    const history = await client.peer.request("session.history", { sessionId });
    expect(JSON.stringify(history)).toContain("hello there");
    const told = JSON.stringify([events, info, list, history, world.log, failed]);
    expect(told).not.toContain(KEY);
    expect(await everything(world.directory)).not.toContain(KEY);
  });
});

test("[session.case-76] [session.case-77] a new session is idle, a prompted one runs, and a failed end is no good one", async () => {
  const gate = new Gate();
  await using server = await FakeModelServer.start({
    script: script([
      when(({ turn }) => turn > 0).fail(unauthorized()),
      otherwise().reply([text("Hel"), pause(gate), text("lo.")]),
    ]),
  });
  await using world = await TestSidecar.start({ runtimes: [new ApiRuntime()] });
  await using client = await world.connect();
  const session = await SessionClient.create(client, {
    runtime: "anthropic",
    provider: { name: "anthropic", baseUrl: `${server.url}/v1`, apiKey: KEY },
  });
  await expect(session.info()).resolves.toMatchObject({ state: "idle", turns: 0 });
  const running = session.prompt("Hi.");
  await gate.reached();
  await expect(session.info()).resolves.toMatchObject({ state: "running", turns: 1 });
  gate.open();
  await expect(running).resolves.toMatchObject({ stopReason: "end_turn", text: "Hello." });
  await expect(session.prompt("Again.")).resolves.toMatchObject({ stopReason: "error" });
  await expect(session.info()).resolves.toMatchObject({ state: "idle", turns: 2 });
});

test("a budget holds a model that says nothing, too", async () => {
  await using server = await FakeModelServer.start({
    script: script([otherwise().reply(thinking("Hm."))]),
  });
  await using world = await TestSidecar.start({ runtimes: [new ApiRuntime()] });
  await using client = await world.connect();
  const session = await SessionClient.create(client, {
    runtime: "anthropic",
    provider: { name: "anthropic", baseUrl: `${server.url}/v1`, apiKey: KEY },
    budget: { turns: 3 },
  });
  await expect(session.prompt("Hi.")).resolves.toMatchObject({
    stopReason: "max_turns",
    budget: "turns",
  });
  expect(server.journal.entries).toHaveLength(3);
});

describe("a session with an MCP server", () => {
  test("[session.case-59] that does not start fails, and names the server", async () => {
    await using server = await FakeModelServer.start({ script: script([]) });
    await using world = await TestSidecar.start({ runtimes: [new ApiRuntime()] });
    await using client = await world.connect();
    const create = SessionClient.create(client, {
      runtime: "anthropic",
      provider: { name: "anthropic", baseUrl: `${server.url}/v1`, apiKey: KEY },
      mcpServers: { lost: { command: "exit", args: ["3"] } },
    });
    const failed = create.then(async (session) => await hurried(world, session.prompt("Hi.")));
    const told = await failed.then(
      (result) => result.error,
      (error: unknown) => error,
    );
    expect(told).toMatchObject({
      code: "AGENT_EXITED",
      message: expect.stringContaining("MCP server lost"),
    });
    expect(world.driver.vms.flatMap(({ running }) => running)).toEqual([]);
  });

  test("[api.case-72] a missing key is told when the session is created", async () => {
    await using world = await TestSidecar.start({ runtimes: [new ApiRuntime()] });
    await using client = await world.connect();
    await expect(SessionClient.create(client, { runtime: "openai" })).rejects.toMatchObject({
      code: "MISSING_KEY",
      message: expect.stringContaining("OPENAI_API_KEY"),
    });
  });
});
