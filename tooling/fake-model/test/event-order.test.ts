import { expect, test } from "vitest";

import {
  FakeModelServer,
  otherwise,
  rawToolCall,
  script,
  text,
  thinking,
  toolCall,
  type ReplyPart,
} from "../src/index.ts";

const PARTS: readonly ReplyPart[] = [
  thinking(["Hm."]),
  text(["Grü", "ße"]),
  toolCall("look", { at: "sea" }, { id: "c1" }),
  rawToolCall("look", ['{"at":', '"sky"}'], { id: "c2" }),
];
const USAGE = {
  inputTokens: 10,
  cacheReadTokens: 5,
  cacheWriteTokens: 2,
  outputTokens: 9,
  reasoningTokens: 4,
};

/** The body of one answer, and its events: name, data. */
async function events(path: string, body: object) {
  await using server = await FakeModelServer.start({
    script: script([otherwise().reply(PARTS, { usage: USAGE })]),
  });
  const response = await fetch(`${server.url}${path}`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  const raw = await response.text();
  const blocks = raw.split(/\r?\n\r?\n/).filter((block) => block !== "");
  const read = blocks.map((block) => {
    const [, name = ""] = /^event: (.*)$/m.exec(block) ?? [];
    const [, data = ""] = /^data: (.*)$/m.exec(block) ?? [];
    return { name, data: data === "[DONE]" ? data : JSON.parse(data) };
  });
  return { type: response.headers.get("content-type"), raw, read };
}

const ASK = [{ role: "user", content: "Look." }];

test("Anthropic's events", async () => {
  const body = { model: "m", max_tokens: 100, stream: true, messages: ASK };
  const { type, read } = await events("/v1/messages?beta=true", body);
  expect(type).toBe("text/event-stream");
  expect(
    read.map(({ name, data }) => (name === data.type ? name : `${name}/${data.type}`)),
  ).toEqual([
    "message_start",
    "content_block_start",
    "ping",
    "content_block_delta",
    "content_block_delta",
    "content_block_stop",
    "content_block_start",
    "content_block_delta",
    "content_block_delta",
    "content_block_stop",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "content_block_start",
    "content_block_delta",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
  ]);
  const data = read.map((each) => each.data);
  const counts = { input_tokens: 10, cache_read_input_tokens: 5, cache_creation_input_tokens: 2 };
  expect(data[0].message).toMatchObject({ content: [], stop_reason: null, usage: counts });
  expect(data.filter((each) => each.delta).map(({ index, delta }) => [index, delta.type])).toEqual([
    [0, "thinking_delta"],
    [0, "signature_delta"],
    [1, "text_delta"],
    [1, "text_delta"],
    [2, "input_json_delta"],
    [3, "input_json_delta"],
    [3, "input_json_delta"],
    [undefined, undefined],
  ]);
  expect(data.at(-2)).toMatchObject({
    delta: { stop_reason: "tool_use", stop_sequence: null },
    usage: { ...counts, output_tokens: 9 },
  });
});

test("Responses' events", async () => {
  const { type, read } = await events("/v1/responses", {
    model: "m",
    stream: true,
    input: "Look.",
  });
  expect(type).toBe("text/event-stream");
  const data = read.map((each) => each.data);
  expect(read.every(({ name, data: { type: typed } }) => name === typed)).toBe(true);
  expect(data.map((each) => each.sequence_number)).toEqual(data.map((_, index) => index));
  expect(data.map((each) => [each.type.replace("response.", ""), each.output_index])).toEqual([
    ["created", undefined],
    ["in_progress", undefined],
    ["output_item.added", 0],
    ["reasoning_summary_part.added", 0],
    ["reasoning_summary_text.delta", 0],
    ["reasoning_summary_text.done", 0],
    ["reasoning_summary_part.done", 0],
    ["output_item.done", 0],
    ["output_item.added", 1],
    ["content_part.added", 1],
    ["output_text.delta", 1],
    ["output_text.delta", 1],
    ["output_text.done", 1],
    ["content_part.done", 1],
    ["output_item.done", 1],
    ["output_item.added", 2],
    ["function_call_arguments.delta", 2],
    ["function_call_arguments.done", 2],
    ["output_item.done", 2],
    ["output_item.added", 3],
    ["function_call_arguments.delta", 3],
    ["function_call_arguments.delta", 3],
    ["function_call_arguments.done", 3],
    ["output_item.done", 3],
    ["completed", undefined],
  ]);
  const { response } = data.at(-1);
  expect(response.output).toMatchObject([
    { type: "reasoning" },
    { type: "message", content: [{ type: "output_text", text: "Grüße" }] },
    { type: "function_call", call_id: "c1", name: "look", arguments: '{"at":"sea"}' },
    { type: "function_call", call_id: "c2", name: "look", arguments: '{"at":"sky"}' },
  ]);
  expect(response.usage).toEqual({
    input_tokens: 17,
    input_tokens_details: { cached_tokens: 5, cache_write_tokens: 2 },
    output_tokens: 9,
    output_tokens_details: { reasoning_tokens: 4 },
    total_tokens: 26,
  });
});

test("Chat's chunks", async () => {
  const body = { model: "m", stream: true, messages: ASK };
  const { read } = await events("/v1/chat/completions", {
    ...body,
    stream_options: { include_usage: true },
  });
  expect(read.at(-1)?.data).toBe("[DONE]");
  const data = read.slice(0, -1).map((each) => each.data);
  const choices = data.map(
    ({ choices: [choice] }) => choice && [choice.delta, choice.finish_reason],
  );
  expect(choices).toEqual([
    [{ role: "assistant", content: "", refusal: null }, null],
    [{ reasoning_content: "Hm." }, null],
    [{ content: "Grü" }, null],
    [{ content: "ße" }, null],
    [call(0, "c1"), null],
    [piece(0, '{"at":"sea"}'), null],
    [call(1, "c2"), null],
    [piece(1, '{"at":'), null],
    [piece(1, '"sky"}'), null],
    [{}, "tool_calls"],
    undefined,
  ]);
  expect(data.at(-1).usage).toMatchObject({
    prompt_tokens: 17,
    completion_tokens: 9,
    total_tokens: 26,
    prompt_tokens_details: { cached_tokens: 5 },
    completion_tokens_details: { reasoning_tokens: 4 },
  });
  const plain = await events("/v1/chat/completions", body);
  expect(plain.raw).not.toContain('"usage"');
});

const GEMINI = { contents: [{ role: "user", parts: [{ text: "Look." }] }] };

test("Gemini's chunks, as events and as one array", async () => {
  const path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent";
  const { raw, read } = await events(`${path}?alt=sse`, GEMINI);
  expect(raw).toContain("\r\n\r\n");
  const data = read.map((each) => each.data);
  expect(
    data.map(({ candidates: [{ content, finishReason }] }) => [content.parts, finishReason]),
  ).toEqual([
    [[{ text: "Hm.", thought: true }], undefined],
    [[{ text: "Grü" }], undefined],
    [[{ text: "ße" }], undefined],
    [[calling("c1", "sea")], undefined],
    [[calling("c2", "sky")], undefined],
    [[{ text: "" }], "STOP"],
  ]);
  expect(data.at(-1)).toMatchObject({
    modelVersion: "gemini-2.5-flash",
    usageMetadata: {
      promptTokenCount: 17,
      cachedContentTokenCount: 5,
      candidatesTokenCount: 5,
      thoughtsTokenCount: 4,
      totalTokenCount: 26,
    },
  });
  await using server = await FakeModelServer.start({
    script: script([otherwise().reply(PARTS, { usage: USAGE })]),
  });
  const request = { method: "POST", body: JSON.stringify(GEMINI) };
  const whole = await fetch(`${server.url}${path}`, request);
  expect(whole.headers.get("content-type")).toContain("application/json");
  const answers: unknown = await whole.json();
  expect(answers).toHaveLength(6);
});

function calling(id: string, at: string) {
  return { functionCall: { id, name: "look", args: { at } }, thoughtSignature: expect.any(String) };
}

function call(index: number, id: string) {
  const named = { name: "look", arguments: "" };
  return { tool_calls: [{ index, id, type: "function", function: named }] };
}

function piece(index: number, json: string) {
  return { tool_calls: [{ index, function: { arguments: json } }] };
}
