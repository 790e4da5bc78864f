import { request as httpRequest } from "node:http";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { isAgentOsError } from "@agentos/protocol";
import { expect, test } from "vitest";

import { echo, FakeModelServer, Gate, otherwise, pause, script, text } from "../src/index.ts";

async function answer(response: Response): Promise<{ status: number; body: unknown }> {
  return { status: response.status, body: await response.json() };
}

async function post(url: string, body: unknown, headers: Record<string, string> = {}) {
  const sent = typeof body === "string" ? body : JSON.stringify(body);
  return await answer(await fetch(url, { method: "POST", body: sent, headers }));
}

const ASK = { model: "m", max_tokens: 9, messages: [{ role: "user", content: "Hello." }] };

test("answers what agents ask beside the model", async () => {
  await using server = await FakeModelServer.start({ script: echo, models: ["a/b", "c"] });
  const { url } = server;
  expect(await post(`${url}/v1/messages/count_tokens`, ASK)).toEqual({
    status: 200,
    body: { input_tokens: Math.ceil(JSON.stringify(ASK).length / 4) },
  });
  expect((await post(`${url}/v1beta/models/g:countTokens`, {})).body).toEqual({ totalTokens: 1 });
  expect((await post(`${url}/v1/responses/compact`, { model: "m", input: [{}, {}] })).body).toEqual(
    {
      output: [expect.objectContaining({ type: "message", role: "user" })],
    },
  );
  expect((await answer(await fetch(`${url}/v1/models`))).body).toMatchObject({
    object: "list",
    data: [{ id: "a/b", type: "model", object: "model" }, { id: "c" }],
    has_more: false,
  });
  expect((await answer(await fetch(`${url}/v1/models/a%2Fb`))).body).toMatchObject({ id: "a/b" });
  expect((await answer(await fetch(`${url}/v1/models/x`))).status).toBe(404);
  expect((await answer(await fetch(`${url}/v1beta/models`))).body).toMatchObject({
    models: [{ name: "models/a/b" }, { name: "models/c" }],
  });
  expect((await fetch(url)).status).toBe(200);
  expect((await fetch(url, { method: "HEAD" })).status).toBe(200);
  expect((await answer(await fetch(`${url}/v1/messages`))).status).toBe(404);
});

test("keys are kept apart from everything else, and may be asked for", async () => {
  await using server = await FakeModelServer.start({ script: echo, keys: ["good"] });
  const { url, journal } = server;
  const headers = { "x-api-key": "good" };
  expect((await post(`${url}/v1/messages`, ASK, headers)).status).toBe(200);
  const bearer = { authorization: "Bearer good" };
  expect((await post(`${url}/v1/chat/completions`, ASK, bearer)).status).toBe(200);
  const gemini = { contents: [{ role: "user", parts: [{ text: "Hi." }] }] };
  expect((await post(`${url}/v1beta/models/g:generateContent?key=good`, gemini)).status).toBe(200);
  expect(await post(`${url}/v1/messages`, ASK)).toMatchObject({
    status: 401,
    body: { type: "error", error: { type: "authentication_error" } },
  });
  const wrong = { "x-goog-api-key": "canary" };
  expect(await post(`${url}/v1beta/models/g:generateContent`, gemini, wrong)).toMatchObject({
    status: 401,
    body: { error: { code: 401, status: "UNAUTHENTICATED" } },
  });
  for (const entry of journal.entries) {
    expect(JSON.stringify({ ...entry, credentials: {} })).not.toMatch(/good|canary/);
  }
  expect(journal.entries.map(({ credentials }) => credentials)).toEqual([
    { "x-api-key": "good" },
    { authorization: "Bearer good" },
    { "?key": "good" },
    {},
    { "x-goog-api-key": "canary" },
  ]);
});

test("refuses what a provider would refuse, in its own words", async () => {
  await using server = await FakeModelServer.start({ script: script([]) });
  const { url, journal } = server;
  expect(await post(`${url}/v1/messages`, "{not json")).toMatchObject({
    status: 400,
    body: { type: "error", error: { type: "invalid_request_error" } },
  });
  expect(await post(`${url}/v1/responses`, { model: "m" })).toMatchObject({
    status: 400,
    body: { error: { message: expect.stringContaining("input") } },
  });
  expect(await post(`${url}/v1/chat/completions`, { ...ASK, messages: 7 })).toMatchObject({
    status: 400,
    body: { error: { message: expect.stringContaining("messages") } },
  });
  expect(await post(`${url}/v1beta/models/g:generateContent`, { contents: 1 })).toMatchObject({
    status: 400,
    body: { error: { status: "INVALID_ARGUMENT" } },
  });
  expect(await post(`${url}/v1/messages`, ASK)).toMatchObject({ status: 400 });
  const unmatched = await journal.next(({ request }) => request !== undefined);
  expect(unmatched.problem).toBe('no rule of the script matches: "Hello.", step 0');
});

test("a script that throws is a 500 that says so", async () => {
  await using server = await FakeModelServer.start({
    script: script([
      otherwise().reply(() => {
        throw new Error("oh no");
      }),
    ]),
  });
  expect(await post(`${server.url}/v1/messages`, ASK)).toMatchObject({
    status: 500,
    body: { error: { message: "the script failed: Error: oh no" } },
  });
});

test("listens on a unix socket, and leaves nothing behind", async () => {
  const directory = await mkdtemp(join(tmpdir(), "fake-model-"));
  try {
    const socketPath = join(directory, "model.sock");
    const server = await FakeModelServer.start({ script: echo, port: false, socketPath });
    expect(server.url).toBe("");
    const body = await new Promise<string>((resolve, reject) => {
      const asking = httpRequest(
        { socketPath, path: "/v1/messages", method: "POST" },
        (response) => {
          response.setEncoding("utf8").on("data", resolve);
        },
      );
      asking.on("error", reject).end(JSON.stringify(ASK));
    });
    expect(JSON.parse(body)).toMatchObject({ content: [{ type: "text", text: "Hello." }] });
    await server[Symbol.asyncDispose]();
    await using again = await FakeModelServer.start({ script: echo, port: false, socketPath });
    expect(again.socketPath).toBe(socketPath);
    await expect(
      FakeModelServer.start({ script: echo, port: false, socketPath }),
    ).rejects.toMatchObject({ code: "EADDRINUSE" });
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("closing the server ends what is under way", async () => {
  const gate = new Gate();
  const server = await FakeModelServer.start({
    script: script([otherwise().reply([text("One"), pause(gate), text("two")])]),
  });
  const asked = fetch(`${server.url}/v1/messages`, { method: "POST", body: JSON.stringify(ASK) });
  const failed = asked.then(
    () => false,
    () => true,
  );
  await gate.reached();
  await server[Symbol.asyncDispose]();
  expect(await failed).toBe(true);
  expect(server.journal.entries.map(({ outcome }) => outcome)).toEqual(["aborted"]);
  await server[Symbol.asyncDispose]();
});

test("a wait in the journal ends at its deadline or with its signal, saying what came", async () => {
  await using server = await FakeModelServer.start({ script: echo });
  await post(`${server.url}/v1/messages`, ASK);
  const late = server.journal.next(({ path }) => path === "/x", { timeoutMs: 1 });
  await expect(late).rejects.toSatisfy((error) => isAgentOsError(error, "DEADLINE_EXCEEDED"));
  await expect(late).rejects.toThrow("POST /v1/messages 200 finished");
  const abort = new AbortController();
  const cancelled = server.journal.next(() => false, { signal: abort.signal });
  abort.abort();
  await expect(cancelled).rejects.toSatisfy((error) => isAgentOsError(error, "CANCELLED"));
});

test("two waits never get the same request", async () => {
  await using server = await FakeModelServer.start({ script: echo });
  const both = Promise.all([server.journal.next(), server.journal.next()]);
  await post(`${server.url}/v1/messages`, ASK);
  await post(`${server.url}/v1/messages`, ASK);
  expect((await both).map(({ id }) => id)).toEqual([1, 2]);
});
