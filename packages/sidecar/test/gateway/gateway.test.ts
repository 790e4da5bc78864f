import { describe, expect, test } from "vitest";
import {
  drop,
  Gate,
  lastUserText,
  otherwise,
  pause,
  rateLimit,
  script,
  serverError,
  text,
  toolCall,
  unauthorized,
  when,
} from "@agentos/fake-model";
import { AgentOsError } from "@agentos/protocol";

import { GatewayWorld, KEY } from "./gateway-world.ts";

const USAGE = {
  inputTokens: 100,
  cacheReadTokens: 30,
  cacheWriteTokens: 0,
  outputTokens: 8,
  reasoningTokens: 3,
};

/** How each wire format is asked, streamed or not. */
const FORMATS = [
  {
    name: "anthropic",
    base: "/v1",
    path: (_stream: boolean) => "/v1/messages?beta=true",
    key: (token: string) => ({ "x-api-key": token, "anthropic-version": "2023-06-01" }),
    body: (prompt: string, stream: boolean) => ({
      model: "claude-sonnet-5-5",
      max_tokens: 100,
      messages: [{ role: "user", content: prompt }],
      tools: [{ name: "bash", input_schema: { type: "object" } }],
      stream,
    }),
    thinking: null,
  },
  {
    name: "openai",
    base: "/v1",
    path: (_stream: boolean) => "/v1/responses",
    key: (token: string) => ({ authorization: `Bearer ${token}` }),
    body: (prompt: string, stream: boolean) => ({
      model: "gpt-5.2",
      input: prompt,
      tools: [{ type: "function", name: "bash", parameters: { type: "object" } }],
      stream,
    }),
    thinking: 3,
  },
  {
    name: "openai-chat",
    base: "/v1",
    path: (_stream: boolean) => "/v1/chat/completions",
    key: (token: string) => ({ authorization: `Bearer ${token}` }),
    body: (prompt: string, stream: boolean) => ({
      model: "gpt-5.2",
      messages: [{ role: "user", content: prompt }],
      tools: [{ type: "function", function: { name: "bash", parameters: { type: "object" } } }],
      stream,
      ...(stream ? { stream_options: { include_usage: true } } : {}),
    }),
    thinking: 3,
  },
  {
    name: "gemini",
    base: "/v1beta",
    path: (stream: boolean) =>
      stream
        ? "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
        : "/v1beta/models/gemini-2.5-flash:generateContent",
    key: (token: string) => ({ "x-goog-api-key": token }),
    body: (prompt: string) => ({
      contents: [{ role: "user", parts: [{ text: prompt }] }],
      tools: [
        { functionDeclarations: [{ name: "bash", parametersJsonSchema: { type: "object" } }] },
      ],
    }),
    thinking: 3,
  },
] as const;

type Format = (typeof FORMATS)[number];

async function ask(
  url: string,
  token: string,
  format: Format,
  { prompt = "hi", stream = true, headers = {}, signal }: Asked = {},
): Promise<Response> {
  return await fetch(url + format.path(stream), {
    method: "POST",
    headers: { "content-type": "application/json", ...format.key(token), ...headers },
    body: JSON.stringify(format.body(prompt, stream)),
    ...(signal === undefined ? {} : { signal }),
  });
}

interface Asked {
  prompt?: string;
  stream?: boolean;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

const [anthropic] = FORMATS;

describe.each(FORMATS)("a model of $name", (format) => {
  test.each([true, false])(
    "[gateway.usage] what passes is counted exactly as the provider told it, streamed: %s",
    async (stream) => {
      await using world = await GatewayWorld.start({
        script: script([
          when(lastUserText(/tool/)).reply(toolCall("bash", {}), { usage: USAGE }),
          otherwise().reply(text("Hello there."), { usage: USAGE }),
        ]),
      });
      const { endpoint, route } = await world.session(format.name, { path: format.base });
      const answer = await ask(endpoint.baseUrl, endpoint.token, format, { stream });
      expect(answer.status).toBe(200);
      expect(await answer.text()).toContain("Hello");
      await (
        await ask(endpoint.baseUrl, endpoint.token, format, { prompt: "tool", stream })
      ).text();
      const usage = {
        inputTokens: 100,
        cacheReadTokens: 30,
        outputTokens: 8,
        thinkingTokens: format.thinking,
        totalTokens: 138,
        costUsd: expect.any(Number),
      };
      expect(route.calls).toMatchObject([
        { httpStatus: 200, hasToolCalls: false, usage, error: undefined },
        { httpStatus: 200, hasToolCalls: true, usage, error: undefined },
      ]);
      expect(endpoint.failure).toBeUndefined();
    },
  );

  test("[gateway.credentials] [S37] the guest's credential is taken off, and the real one put on", async () => {
    await using world = await GatewayWorld.start({
      script: script([otherwise().reply(text("hi"))]),
    });
    const { endpoint } = await world.session(format.name, { path: format.base });
    const headers = { cookie: "a=b", "openai-organization": "org-of-another", "x-evil": "1" };
    const answer = await ask(endpoint.baseUrl, endpoint.token, format, { headers });
    await answer.text();
    const [entry] = world.server.journal.entries;
    expect(Object.values(entry?.credentials ?? {})).toEqual([expect.stringContaining(KEY)]);
    expect(JSON.stringify(entry)).not.toContain(endpoint.token);
    expect(entry?.headers).not.toHaveProperty("x-evil");
    expect(entry?.headers).not.toHaveProperty("cookie");
    expect(entry?.headers).not.toHaveProperty("openai-organization");
  });

  test("[gateway.limits] 401, 429 with its reset, and 500 are told as what they are", async () => {
    await using world = await GatewayWorld.start({
      script: script([
        when(lastUserText(/401/)).fail(unauthorized()),
        when(lastUserText(/429/)).fail(rateLimit({ retryAfterSeconds: 30 })),
        otherwise().fail(serverError()),
      ]),
    });
    const { endpoint, route } = await world.session(format.name, { path: format.base });
    for (const prompt of ["401", "429", "500"]) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const answer = await ask(endpoint.baseUrl, endpoint.token, format, { prompt });
      expect(String(answer.status)).toBe(prompt);
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      await answer.text();
    }
    expect(route.calls.map(({ error }) => error?.code)).toEqual([
      "PROVIDER_REFUSED",
      "RATE_LIMITED",
      "PROVIDER_FAILED",
    ]);
    expect(route.calls[1]?.error?.details).toMatchObject({ resetAt: expect.any(String) });
    expect(endpoint.failure?.code).toBe("PROVIDER_FAILED");
  });
});

describe("a guest", () => {
  test("[gateway.pinning] [S38] with a foreign key is refused, beside its own token too", async () => {
    await using world = await GatewayWorld.start({
      script: script([otherwise().reply(text("hi"))]),
    });
    const { endpoint } = await world.session("anthropic");
    const foreign = "sk-ant-of-somebody-else";
    const tries = [
      await ask(endpoint.baseUrl, foreign, anthropic),
      await ask(endpoint.baseUrl, KEY, anthropic),
      await ask(endpoint.baseUrl, endpoint.token, anthropic, {
        headers: { authorization: `Bearer ${foreign}` },
      }),
      await fetch(`${endpoint.baseUrl}/v1/messages?key=${foreign}`, {
        method: "POST",
        headers: { "x-api-key": endpoint.token },
        body: "{}",
      }),
      await fetch(`${endpoint.baseUrl}/v1/messages`, { method: "POST", body: "{}" }),
    ];
    for (const answer of tries) {
      expect(answer.status).toBe(401);
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      expect(await answer.json()).toMatchObject({ error: { type: "authentication_error" } });
      expect(answer.headers.get("x-should-retry")).toBe("false");
    }
    expect(world.server.journal.entries).toHaveLength(0);
  });

  test("[gateway.scope] reaches no other path, VM or session than its own", async () => {
    await using world = await GatewayWorld.start({
      script: script([otherwise().reply(text("hi"))]),
    });
    const { endpoint } = await world.session("anthropic");
    const other = await world.session("openai", { sessionId: "s2", vm: await world.vm("vm-2") });
    const headers = { "x-api-key": endpoint.token };
    const paths = [
      "/v1/files",
      "/v1/messages/batches",
      "/v1/messages/../files",
      "/v1/messages%2f..%2ffiles",
      "/v1//messages",
      "//evil.test/v1/messages",
      "/v1/responses",
      "/v1/chat/completions",
      "/v1/models/..%2ffiles",
      "/v1/organizations/me",
    ];
    for (const path of paths) {
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      const status = await rawStatus(endpoint.baseUrl, path, endpoint.token);
      expect([path, status]).toEqual([path, 404]);
    }
    const absolute = await rawStatus(
      endpoint.baseUrl,
      "http://evil.test/v1/messages",
      endpoint.token,
    );
    expect(absolute).toBe(404);
    const wrongMethod = await fetch(`${endpoint.baseUrl}/v1/messages`, { headers });
    expect(wrongMethod.status).toBe(405);
    // The token of one VM, at the door of the other.
    expect((await ask(other.endpoint.baseUrl, endpoint.token, anthropic)).status).toBe(401);
    expect(world.server.journal.entries).toHaveLength(0);
  });

  test("[gateway.beside] counts tokens, lists models and greets, which is no call", async () => {
    await using world = await GatewayWorld.start({
      script: script([otherwise().reply(text("hi"))]),
    });
    const { endpoint, route } = await world.session("anthropic");
    const headers = { "x-api-key": endpoint.token };
    const counted = await fetch(`${endpoint.baseUrl}/v1/messages/count_tokens?beta=true`, {
      method: "POST",
      headers,
      body: JSON.stringify(anthropic.body("hi", false)),
    });
    expect(await counted.json()).toHaveProperty("input_tokens");
    const models = await fetch(`${endpoint.baseUrl}/v1/models?limit=10`, { headers });
    expect(await models.json()).toHaveProperty("data");
    expect((await fetch(`${endpoint.baseUrl}/`, { method: "HEAD" })).status).toBe(200);
    expect(route.asked).toBe(0);
  });

  test("[gateway.budget] whose session may not call is told so in its provider's words", async () => {
    await using world = await GatewayWorld.start({
      script: script([otherwise().reply(text("hi"))]),
    });
    const { endpoint, route } = await world.session("gemini", { path: "/v1beta" });
    const details = { budget: "usd", limit: 1, used: 1.2 };
    route.refusal = new AgentOsError("BUDGET_EXHAUSTED", "the budget is used up", details);
    const answer = await ask(endpoint.baseUrl, endpoint.token, FORMATS[3]);
    expect(answer.status).toBe(403);
    expect(await answer.json()).toEqual({
      error: { code: 403, message: "the budget is used up", status: "PERMISSION_DENIED" },
    });
    expect(endpoint.failure).toBe(route.refusal);
    expect(world.server.journal.entries).toHaveLength(0);
    expect(route.calls).toHaveLength(0);
  });

  test("[gateway.revoked] has nothing after its session has ended, a call under way included", async () => {
    const gate = new Gate();
    await using world = await GatewayWorld.start({
      script: script([otherwise().reply([text("Hel"), pause(gate), text("lo")])]),
    });
    const { endpoint, route } = await world.session("anthropic");
    const answer = await ask(endpoint.baseUrl, endpoint.token, anthropic);
    await endpoint[Symbol.asyncDispose]();
    await expect(answer.text()).rejects.toThrow(/terminated/);
    expect((await ask(endpoint.baseUrl, endpoint.token, anthropic)).status).toBe(401);
    expect(await route.until(1)).toHaveLength(1);
    const { outcome } = await world.server.journal.ended(world.server.journal.entries[0]?.id ?? 0);
    expect(outcome).toBe("aborted");
  });

  test("[gateway.token] finds its session by the same token in another life", async () => {
    await using world = await GatewayWorld.start({
      script: script([otherwise().reply(text("hi"))]),
    });
    await using again = await GatewayWorld.start({
      script: script([otherwise().reply(text("hi"))]),
    });
    const { endpoint } = await world.session("anthropic");
    const { endpoint: next } = await again.session("anthropic");
    const { endpoint: other } = await again.session("anthropic", { sessionId: "s2" });
    expect(next.token).toBe(endpoint.token);
    expect(other.token).not.toBe(endpoint.token);
  });
});

describe("a connection that breaks", () => {
  test("[gateway.abort] the guest's: the provider's request is closed, and what was used is counted", async () => {
    const gate = new Gate();
    await using world = await GatewayWorld.start({
      script: script([otherwise().reply([text("Hel"), pause(gate), text("lo")], { usage: USAGE })]),
    });
    const { endpoint, route } = await world.session("anthropic");
    const aborter = new AbortController();
    const { signal } = aborter;
    const answer = await ask(endpoint.baseUrl, endpoint.token, anthropic, { signal });
    const reader = answer.body?.getReader();
    await reader?.read();
    aborter.abort();
    const [call] = await route.until(1);
    expect(call).toMatchObject({ error: { code: "CANCELLED" }, usage: { inputTokens: 100 } });
    const [entry] = world.server.journal.entries;
    expect((await world.server.journal.ended(entry?.id ?? 0)).outcome).toBe("aborted");
  });

  test("[gateway.drop] the provider's: the guest sees a broken answer, never a short one", async () => {
    const gate = new Gate();
    await using world = await GatewayWorld.start({
      script: script([otherwise().reply([text("Hel"), pause(gate), drop()], { usage: USAGE })]),
    });
    const { endpoint, route } = await world.session("anthropic");
    const answer = await ask(endpoint.baseUrl, endpoint.token, anthropic);
    const reader = answer.body?.getReader();
    await reader?.read();
    gate.open();
    await expect(readAll(reader)).rejects.toThrow(/terminated/);
    const [call] = await route.until(1);
    expect(call).toMatchObject({ error: { code: "PROVIDER_FAILED" }, httpStatus: 200 });
  });

  test("[gateway.unreachable] a provider that is not there is a 502 in its own words", async () => {
    await using world = await GatewayWorld.start({ script: script([]) });
    const { endpoint, route } = await world.session("anthropic");
    await world.server[Symbol.asyncDispose]();
    const answer = await ask(endpoint.baseUrl, endpoint.token, anthropic);
    expect(answer.status).toBe(502);
    expect(await answer.json()).toMatchObject({ error: { type: "api_error" } });
    expect(route.calls).toMatchObject([{ httpStatus: 0, error: { code: "PROVIDER_FAILED" } }]);
  });
});

/** The status of a path that no client would send. */
async function rawStatus(url: string, path: string, token: string): Promise<number> {
  const { connect } = await import("node:net");
  const { port } = new URL(url);
  const socket = connect(Number(port), "127.0.0.1");
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nx-api-key: ${token}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
  );
  let said = "";
  for await (const chunk of socket.setEncoding("utf8")) said += chunk;
  return Number(said.split(" ")[1]);
}

async function readAll(reader: ReadableStreamDefaultReader | undefined): Promise<void> {
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- One after the other.
    const piece = await reader?.read();
    if (piece === undefined || piece.done) return;
  }
}
