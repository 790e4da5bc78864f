import { APICallError, generateText, RetryError, streamText, tool, type LanguageModel } from "ai";
import { describe, expect, test } from "vitest";
import * as z from "zod";

import {
  drop,
  endEarly,
  FakeModelServer,
  Gate,
  hang,
  httpBody,
  malformed,
  otherwise,
  overloaded,
  pause,
  rateLimit,
  rawToolCall,
  refusal,
  reset,
  script,
  stall,
  streamError,
  text,
  truncate,
  unauthorized,
  unavailable,
  when,
  type FormatName,
  type HttpFault,
  type ReplyOptions,
  type ReplyPart,
} from "../src/index.ts";
import { SDK_MODELS } from "./sdk-models.ts";

/** A server that answers everything in one way. */
async function failing(fault: HttpFault): Promise<FakeModelServer> {
  return await FakeModelServer.start({ script: script([otherwise().fail(fault)]) });
}

async function replying(
  parts: readonly ReplyPart[],
  options: ReplyOptions = {},
): Promise<FakeModelServer> {
  return await FakeModelServer.start({ script: script([otherwise().reply(parts, options)]) });
}

/** What a whole answer is refused with. */
async function errorOf(model: LanguageModel, maxRetries = 0): Promise<unknown> {
  try {
    return { answered: (await generateText({ model, prompt: "Hi.", maxRetries })).text };
  } catch (error) {
    return error;
  }
}

interface Streamed {
  readonly text: string;
  readonly errors: readonly unknown[];
  readonly finish: string | undefined;
}

/** All that a stream gives. */
async function streamed(
  model: LanguageModel,
  signal?: AbortSignal,
  onText: () => void = () => {},
): Promise<Streamed> {
  const errors: unknown[] = [];
  let said = "";
  let finish: string | undefined;
  const { stream } = streamText({
    model,
    prompt: "Hi.",
    maxRetries: 0,
    onError: () => {},
    ...(signal === undefined ? {} : { abortSignal: signal }),
  });
  try {
    for await (const part of stream) {
      if (part.type === "text-delta") {
        said += part.text;
        if (said !== "") onText();
      }
      if (part.type === "error") errors.push(part.error);
      if (part.type === "finish") finish = part.finishReason;
    }
  } catch (error) {
    errors.push(error);
  }
  return { text: said, errors, finish };
}

/** How each provider says when a limit ends. */
function resetOf(format: FormatName, resetAt: Date): RegExp {
  if (format === "anthropic") return new RegExp(`requests-reset":"${resetAt.toISOString()}"`);
  if (format === "gemini") return /RetryInfo.*"retryDelay\\":\\"7s/;
  return /"x-ratelimit-reset-requests":"[89]\d\.\d+s"/;
}

describe.for(SDK_MODELS)("$name", ({ model, format }) => {
  test("401 is not worth a retry", async () => {
    await using server = await failing(unauthorized());
    const error = await errorOf(model(server.url), 2);
    expect(APICallError.isInstance(error) && error.statusCode).toBe(401);
    expect(String(error)).toContain("invalid key");
    expect(server.journal.entries).toHaveLength(1);
  });

  test("429 says when to come back", async () => {
    const resetAt = new Date(Date.now() + 90_000);
    await using server = await failing(rateLimit({ retryAfterSeconds: 7, resetAt }));
    const error = await errorOf(model(server.url));
    if (!APICallError.isInstance(error)) throw error;
    expect(error).toMatchObject({ statusCode: 429, isRetryable: true });
    expect(error.responseHeaders).toMatchObject({ "retry-after": "7" });
    const told = JSON.stringify([error.responseHeaders, error.responseBody]);
    expect(told).toMatch(resetOf(format, resetAt));
  });

  test("a retry after 429 gets the next rule's answer", async () => {
    await using server = await FakeModelServer.start({
      script: script([
        when(() => true)
          .times(1)
          .fail(rateLimit({ retryAfterSeconds: 0 })),
        otherwise().reply(text("Back.")),
      ]),
    });
    expect(await errorOf(model(server.url), 1)).toEqual({ answered: "Back." });
    expect(server.journal.entries.map(({ status, rule }) => [status, rule])).toEqual([
      [429, 0],
      [200, 1],
    ]);
  });

  test("overloaded and unavailable have the provider's status", async () => {
    await using busy = await failing(overloaded());
    expect(await errorOf(model(busy.url))).toMatchObject({
      statusCode: format === "anthropic" ? 529 : 503,
    });
    await using away = await failing(unavailable());
    expect(await errorOf(model(away.url))).toMatchObject({ statusCode: 503, isRetryable: true });
  });

  test("a reset before the headers, and a body that is no API's", async () => {
    await using gone = await failing(reset());
    expect(await errorOf(model(gone.url))).toMatchObject({ isRetryable: true });
    expect((await gone.journal.next()).outcome).toBe("cut");
    await using proxy = await failing(httpBody(502, "text/html", "<h1>Bad gateway</h1>"));
    expect(await errorOf(model(proxy.url))).toMatchObject({ statusCode: 502 });
  });

  test("no headers until the client gives up", async () => {
    await using server = await failing(hang());
    const abort = new AbortController();
    const answer = streamed(model(server.url), abort.signal);
    const { id } = await server.journal.next(({ request }) => request !== undefined);
    abort.abort();
    expect((await answer).text).toBe("");
    expect(await server.journal.ended(id)).toMatchObject({ outcome: "aborted", bytesSent: 0 });
  });

  test("slow headers come when the gate opens", async () => {
    const gate = new Gate();
    await using server = await replying([text("Late.")], { holdHeaders: gate });
    const answer = streamed(model(server.url));
    await gate.reached();
    expect(server.journal.entries[0]).toMatchObject({ status: 0, bytesSent: 0 });
    gate.open();
    expect(await answer).toMatchObject({ text: "Late.", errors: [] });
  });

  test("a connection cut in the middle of the stream is an error after the text", async () => {
    const seen = new Gate();
    await using server = await replying([text(["Half "]), pause(seen), drop()]);
    const { text: said, errors } = await streamed(model(server.url), undefined, () => seen.open());
    expect(said).toBe("Half ");
    expect(errors).toHaveLength(1);
    expect(
      (await server.journal.next(({ outcome }) => outcome === "cut")).bytesSent,
    ).toBeGreaterThan(0);
  });

  test("a stalled stream is closed by the client", async () => {
    await using server = await replying([text(["Half "]), stall()]);
    const abort = new AbortController();
    const answer = streamed(model(server.url), abort.signal);
    const { id } = await server.journal.next(({ bytesSent }) => bytesSent > 0);
    abort.abort();
    await answer;
    expect((await server.journal.ended(id)).outcome).toBe("aborted");
  });

  test("an event that is no JSON is an error", async () => {
    await using server = await replying([text(["Half "]), malformed()]);
    const { text: said, errors } = await streamed(model(server.url));
    expect(said).toBe("Half ");
    expect(errors.length).toBeGreaterThan(0);
  });

  test("the provider's own error event is an error", async () => {
    await using server = await replying([text(["Half "]), streamError("overloaded", "too much")]);
    const { errors } = await streamed(model(server.url));
    expect(errors.length).toBeGreaterThan(0);
  });

  test.for([endEarly(), truncate()])(
    "$type: a stream without its end does not finish well",
    async (end) => {
      await using server = await replying([text(["Half "]), end, text(["never"])]);
      const { text: said, finish } = await streamed(model(server.url));
      expect(said).toBe("Half ");
      expect(finish).not.toBe("stop");
      expect((await server.journal.next(({ outcome }) => outcome !== "open")).outcome).toBe(
        "finished",
      );
    },
  );

  test("whole answers fail in the ways that fit them", async () => {
    for (const part of [drop(), truncate(), endEarly(), malformed(), streamError("server")]) {
      await using server = await replying([text("Half"), part]);
      expect(await errorOf(model(server.url))).toBeInstanceOf(Error);
    }
  });

  test("an empty answer is empty", async () => {
    await using server = await replying([]);
    expect(await streamed(model(server.url))).toMatchObject({ text: "", finish: "stop" });
    expect(await errorOf(model(server.url))).toEqual({ answered: "" });
  });

  test("a huge answer comes whole", async () => {
    const piece = "0123456789abcdef".repeat(4096);
    await using server = await replying([text(Array.from({ length: 64 }, () => piece))]);
    const { text: said, errors } = await streamed(model(server.url));
    expect(errors).toEqual([]);
    expect(said.length).toBe(4 * 1024 * 1024);
  });

  test("max_tokens and a refusal are told apart from an end", async () => {
    await using short = await replying([text("Cut of")], { stop: "max_tokens" });
    expect(await streamed(model(short.url))).toMatchObject({ text: "Cut of", finish: "length" });
    await using no = await replying([refusal("I can't help with that.")]);
    const refused = await streamed(model(no.url));
    expect(refused.errors).toEqual([]);
    expect(refused.finish).toBe("content-filter");
  });

  test("fields that nobody knows are no trouble, in one-byte writes", async () => {
    const extraFields = { x_new: { nested: [1, "zwei"] } };
    await using server = await replying([text(["Grüße 🐚"])], { extraFields, inBytes: 1 });
    expect(await streamed(model(server.url))).toEqual({
      text: "Grüße 🐚",
      errors: [],
      finish: "stop",
    });
    expect(await errorOf(model(server.url))).toEqual({ answered: "Grüße 🐚" });
  });

  test("a wrong content type is sent", async () => {
    await using server = await replying([text("Hm.")], { contentType: "text/html" });
    const response = await fetch(`${server.url}/v1/messages`, {
      method: "POST",
      body: JSON.stringify({
        model: "m",
        max_tokens: 1,
        stream: true,
        messages: [{ role: "user", content: "Hi." }],
      }),
    });
    expect(response.headers.get("content-type")).toBe("text/html");
    await response.text();
  });

  test("invalid tool arguments never reach the tool", async () => {
    await using server = await replying([rawToolCall("look", '{"at": "the s')]);
    let ran = 0;
    const look = tool({
      inputSchema: z.object({ at: z.string() }),
      execute: () => {
        ran += 1;
      },
    });
    const { stream } = streamText({
      model: model(server.url),
      prompt: "Hi.",
      tools: { look },
      onError: () => {},
    });
    const types: string[] = [];
    for await (const part of stream) types.push(part.type);
    expect(ran).toBe(0);
    expect(types.includes("tool-error")).toBe(format !== "gemini");
  });
});

test("retries that run out keep the last error's headers", async () => {
  const [anthropic] = SDK_MODELS;
  if (anthropic === undefined) throw new Error("no models");
  await using server = await failing(rateLimit({ retryAfterSeconds: 0, claim: "five_hour" }));
  const error = await errorOf(anthropic.model(server.url), 1);
  if (!RetryError.isInstance(error) || !APICallError.isInstance(error.lastError)) throw error;
  expect(error.lastError.responseHeaders).toMatchObject({
    "anthropic-ratelimit-unified-status": "rejected",
    "anthropic-ratelimit-unified-representative-claim": "five_hour",
  });
});
