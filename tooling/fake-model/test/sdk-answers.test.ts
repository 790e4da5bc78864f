import { generateText, isStepCount, streamText, tool } from "ai";
import { describe, expect, test } from "vitest";
import * as z from "zod";

import {
  afterTools,
  FakeModelServer,
  Gate,
  otherwise,
  pause,
  script,
  text,
  toolCall,
  when,
} from "../src/index.ts";
import { KEY, SDK_MODELS } from "./sdk-models.ts";

const USAGE = {
  inputTokens: 100,
  cacheReadTokens: 30,
  cacheWriteTokens: 0,
  outputTokens: 20,
  reasoningTokens: 5,
};
const PIECES = ["Grüße ", "🐚🐚", "\u2028 and ", '"quotes"\n', "end"];

describe.for(SDK_MODELS)("$name", ({ model, format }) => {
  test("streams a text with its exact usage, in pieces that cut characters", async () => {
    await using server = await FakeModelServer.start({
      script: script([otherwise().reply(text(PIECES), { usage: USAGE, inBytes: 3 })]),
    });
    const result = streamText({ model: model(server.url), prompt: "Say hello." });
    const deltas: string[] = [];
    for await (const delta of result.textStream) deltas.push(delta);
    expect(deltas.filter((delta) => delta !== "")).toEqual(PIECES);
    expect(await result.finishReason).toBe("stop");
    expect(await result.usage).toMatchObject({
      inputTokens: 130,
      outputTokens: 20,
      totalTokens: 150,
      inputTokenDetails: { cacheReadTokens: 30 },
    });
    const entry = await server.journal.next();
    expect(entry).toMatchObject({ method: "POST", status: 200, rule: 0 });
    expect(entry.request).toMatchObject({ format, stream: true, lastUserText: "Say hello." });
    expect(Object.values(entry.credentials).join(" ")).toContain(KEY);
    expect(JSON.stringify({ ...entry, credentials: {} })).not.toContain(KEY);
  });

  test("answers whole when no stream is asked for", async () => {
    await using server = await FakeModelServer.start({
      script: script([otherwise().reply(text(PIECES), { usage: USAGE })]),
    });
    const result = await generateText({
      model: model(server.url),
      system: "Be brief.",
      prompt: "Say hello.",
    });
    expect(result.text).toBe(PIECES.join(""));
    expect(result.usage).toMatchObject({ inputTokens: 130, outputTokens: 20 });
    const { request } = await server.journal.next();
    expect(request).toMatchObject({ stream: false, system: "Be brief." });
  });

  test.for([true, false])("calls tools in parallel and reads their results", async (stream) => {
    await using server = await FakeModelServer.start({
      script: script([
        when(afterTools("weather")).reply(({ newResults }) =>
          text(newResults.map(({ result }) => `${result.text};`)),
        ),
        otherwise().reply([
          text("Let me look."),
          toolCall("weather", { city: "Zürich" }),
          toolCall("weather", { city: "Oslo" }),
        ]),
      ]),
    });
    const options = {
      model: model(server.url),
      prompt: "Weather?",
      stopWhen: isStepCount(3),
      tools: {
        weather: tool({
          inputSchema: z.object({ city: z.string() }),
          execute: ({ city }) => `rain in ${city}`,
        }),
      },
    };
    const made = stream ? streamText(options) : await generateText(options);
    const steps = await made.steps;
    expect(steps[0]?.toolCalls.map(({ input }) => input)).toEqual([
      { city: "Zürich" },
      { city: "Oslo" },
    ]);
    expect(steps[0]?.finishReason).toBe("tool-calls");
    expect(await made.text).toBe("rain in Zürich;rain in Oslo;");
    const { request } = await server.journal.next((entry) => entry.request?.step === 1);
    expect(request?.calls.map(({ name, input }) => [name, input])).toEqual([
      ["weather", { city: "Zürich" }],
      ["weather", { city: "Oslo" }],
    ]);
  });

  test("a gate holds the stream, and the journal sees the client go away", async () => {
    const gate = new Gate();
    await using server = await FakeModelServer.start({
      script: script([otherwise().reply([text(["One, "]), pause(gate), text(["two."])])]),
    });
    const abort = new AbortController();
    const result = streamText({
      model: model(server.url),
      prompt: "Count.",
      abortSignal: abort.signal,
      onError: () => {},
    });
    const reader = result.textStream[Symbol.asyncIterator]();
    expect(await reader.next()).toMatchObject({ value: "One, " });
    await gate.reached();
    abort.abort();
    const entry = await server.journal.next(({ outcome }) => outcome !== "open");
    expect(entry.outcome).toBe("aborted");
    expect(entry.bytesSent).toBeGreaterThan(0);
    expect(gate.waiting).toBe(0);
    await reader.return?.();
  });

  test("an opened gate lets the stream go on to its end", async () => {
    const gate = new Gate();
    await using server = await FakeModelServer.start({
      script: script([otherwise().reply(text(["a", "b", "c"]), { pacedBy: gate })]),
    });
    const result = streamText({ model: model(server.url), prompt: "Count." });
    const deltas = result.textStream[Symbol.asyncIterator]();
    const seen: unknown[] = [];
    for (const wanted of ["a", "b", "c"]) {
      await gate.reached();
      gate.pass();
      // An empty delta may come first: where a provider's stream begins with one.
      while (seen.at(-1) !== wanted) seen.push((await deltas.next()).value);
    }
    expect((await deltas.next()).done).toBe(true);
    expect(seen.filter((delta) => delta !== "")).toEqual(["a", "b", "c"]);
  });
});
