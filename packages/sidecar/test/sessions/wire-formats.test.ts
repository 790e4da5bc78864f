import {
  atTurn,
  FakeModelServer,
  type FormatName,
  Gate,
  lastUserText,
  otherwise,
  pause,
  script,
  text,
  toolCall,
  unavailable,
  when,
} from "@agentos/fake-model";
import type { ModelProvider } from "@agentos/protocol";
import { ApiRuntime } from "@agentos/runtimes";
import { describe, expect, test } from "vitest";

import { TestSidecar } from "../sidecar-harness.ts";
import { SessionClient } from "./session-client.ts";
import type { Spec } from "./session-world.ts";

interface Format {
  readonly provider: ModelProvider;
  readonly path: string;
  readonly model: string;
}

/** Every format that there is: the compiler asks for a new one. */
const FORMATS: Readonly<Record<FormatName, Format>> = {
  anthropic: { provider: "anthropic", path: "/v1", model: "claude-sonnet-4-5" },
  "openai-responses": { provider: "openai", path: "/v1", model: "gpt-5" },
  "openai-chat": { provider: "openai-chat", path: "/v1", model: "gpt-4o" },
  gemini: { provider: "gemini", path: "/v1beta", model: "gemini-2.5-flash" },
};

/** A sidecar and a model of one format. */
class ModelWorld implements AsyncDisposable {
  readonly #format: Format;
  readonly #server: FakeModelServer;
  readonly #world: TestSidecar;
  readonly client: Awaited<ReturnType<TestSidecar["connect"]>>;

  private constructor(
    format: Format,
    server: FakeModelServer,
    world: TestSidecar,
    client: ModelWorld["client"],
  ) {
    this.#format = format;
    this.#server = server;
    this.#world = world;
    this.client = client;
  }

  static async start(format: Format, rules: Parameters<typeof script>[0]): Promise<ModelWorld> {
    const server = await FakeModelServer.start({ script: script(rules) });
    const world = await TestSidecar.start({ runtimes: [new ApiRuntime()] });
    return new ModelWorld(format, server, world, await world.connect());
  }

  get journal(): FakeModelServer["journal"] {
    return this.#server.journal;
  }

  async session(spec: Partial<Spec> = {}): Promise<SessionClient> {
    return await SessionClient.create(this.client, this.spec(spec));
  }

  spec(more: Partial<Spec> = {}): Partial<Spec> {
    const { provider: name, path, model } = this.#format;
    const provider = { name, baseUrl: `${this.#server.url}${path}`, apiKey: "made-up" };
    return { runtime: "api", model, provider, retries: 0, ...more };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.#world[Symbol.asyncDispose]();
    await this.#server[Symbol.asyncDispose]();
  }
}

describe.for(Object.entries(FORMATS))("a session over %s", ([name, format]) => {
  test("[api.case-16] a model that is not there fails its own session's turn, and the next one runs", async () => {
    await using at = await ModelWorld.start(format, [
      when(lastUserText("fail")).fail(unavailable()),
      otherwise().reply(({ lastUserText: said }) => text(`Yes: ${said}`)),
    ]);
    const [failing, other] = await Promise.all([at.session(), at.session()]);
    const [failed, good] = await Promise.all([failing.prompt("fail"), other.prompt("hi")]);
    expect(failed).toMatchObject({
      stopReason: "error",
      text: "",
      error: { code: "PROVIDER_FAILED" },
    });
    expect(good).toMatchObject({ stopReason: "end_turn", text: "Yes: hi" });
    await expect(failing.prompt("again")).resolves.toMatchObject({ text: "Yes: again" });
    const formats = at.journal.entries.map(({ request }) => request?.format);
    expect(new Set(formats)).toEqual(new Set([name]));
  });

  test("[api.case-34] a cancel ends the request in its middle, and the next turn knows what was said", async () => {
    const gate = new Gate();
    await using at = await ModelWorld.start(format, [
      when(atTurn(0)).reply([text("One, "), pause(gate), text("two.")]),
      otherwise().reply(({ messages }) => text(JSON.stringify(messages))),
    ]);
    const session = await at.session();
    const { turnId } = await session.send("Count.");
    await gate.reached();
    await session.find((event) => event.type === "text" && event.delta === "One, ");
    await expect(at.client.peer.request("session.cancel", session.ref)).resolves.toEqual({
      turnId,
    });
    await expect(session.result(turnId)).resolves.toMatchObject({ stopReason: "cancelled" });
    await at.journal.next(({ outcome }) => outcome === "aborted");
    await expect(session.info()).resolves.toMatchObject({ state: "idle", turnId: null });
    const next = await session.prompt("Go on.");
    expect(next).toMatchObject({ stopReason: "end_turn" });
    expect(next.text).toMatch(/Count\..*One, .*Go on\./s);
  });

  test("[api.case-42] what a denied call is answered reaches the model, and the tool never runs", async () => {
    await using at = await ModelWorld.start(format, [
      when(({ step }) => step === 0).reply([
        toolCall("create_file", { path: "a.txt", content: "x" }),
        toolCall("list_directory", {}),
      ]),
      otherwise().reply(({ newResults }) =>
        text(newResults.map(({ name: tool, result }) => `${tool}: ${result.text}`).join("; ")),
      ),
    ]);
    const session = await at.session({
      policy: {
        rules: [
          { tool: "create_file", decision: "deny", reason: "hands off" },
          { tool: "*", decision: "allow" },
        ],
        otherwise: "deny",
      },
    });
    const { text: said } = await session.prompt("Write it.");
    expect(said).toMatch(/create_file: .*hands off.*; .*list_directory: \(empty\)/);
    const { events } = await session.events();
    expect(
      events.flatMap((event) => (event.type === "tool_result" ? [event.result.outcome] : [])),
    ).toEqual(expect.arrayContaining(["denied", "ok"]));
  });

  test("[api.case-38] a turn's usage is its own calls', the total the sum, and its cost has a price", async () => {
    const usage = { inputTokens: 100, cacheReadTokens: 40, outputTokens: 10 };
    await using at = await ModelWorld.start(format, [
      when(({ turn, step }) => turn === 0 && step === 0).reply(toolCall("list_directory", {}), {
        usage,
      }),
      otherwise().reply(text("Done."), { usage }),
    ]);
    const session = await at.session();
    const first = await session.prompt("one");
    const second = await session.prompt("two");
    const one = { inputTokens: 100, cacheReadTokens: 40, outputTokens: 10, totalTokens: 150 };
    expect(second.usage).toMatchObject(one);
    expect(first.usage).toMatchObject({ inputTokens: 200, cacheReadTokens: 80, totalTokens: 300 });
    expect(second.usage?.costUsd).toBeGreaterThan(0);
    const { usage: used, costUsd } = await session.info();
    expect(used.total).toMatchObject({ inputTokens: 300, outputTokens: 30, totalTokens: 450 });
    expect(costUsd).toBeCloseTo((first.usage?.costUsd ?? 0) + (second.usage?.costUsd ?? 0), 10);
  });

  test("[api.case-10] a closed session goes on where it was, its tools' results included", async () => {
    await using at = await ModelWorld.start(format, [
      when(({ turn, step }) => turn === 0 && step === 0).reply([
        text("Looking."),
        toolCall("list_directory", {}),
      ]),
      when(atTurn(0)).reply(text("Seen.")),
      otherwise().reply(({ messages }) => text(JSON.stringify(messages))),
    ]);
    const session = await at.session();
    await session.prompt("The first one.");
    await at.client.peer.request("session.close", session.ref);
    const { sessionId, scope } = session;
    const spec = at.spec({ sessionId, resume: { mode: "resume" } });
    const again = await SessionClient.createIn(at.client, scope, spec);
    const { text: seen } = await again.prompt("The second one.");
    expect(seen).toMatch(/The first one\..*Looking\..*\(empty\).*Seen\..*The second one\./s);
  });
});
