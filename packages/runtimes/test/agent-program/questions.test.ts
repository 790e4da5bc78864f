import type { Json, JsonObject, Question, RequestAnswer } from "@agentos/protocol";
import { expect, test } from "vitest";

import { ClaudeTools } from "../../src/claude-code/claude-tools.ts";
import { answerElicitation, answerQuestions } from "../../src/codex/codex-questions.ts";
import { TestHost } from "../test-host.ts";

const COLOUR = {
  question: "Which colours?",
  header: "Colours",
  multiSelect: true,
  options: [{ label: "Red", description: "as a rose" }, { label: "Blue" }],
};
const FORM = {
  type: "object",
  properties: {
    name: { type: "string", title: "Your name", description: "as on the card" },
    age: { type: "integer" },
    size: { type: "string", oneOf: [{ const: "s", title: "Small" }, { const: "l" }] },
    again: { type: "boolean" },
    tags: { type: "array", items: { enum: ["a", "b"] } },
  },
  required: ["name", "age"],
};
const { signal } = new AbortController();

type Response = { selectedOptionIds?: string[]; freeform?: string; skipped?: boolean };

/** Somebody who answers with these; `asked`: what was asked. */
async function answering(...responses: Response[]) {
  const asked: Question[] = [];
  const answer = (questions: readonly Question[]): RequestAnswer => {
    asked.push(...questions);
    return { kind: "question", responses };
  };
  return { host: await TestHost.start({ answer }), asked };
}

function toolsOf(host: TestHost): ClaudeTools {
  const tools = new ClaudeTools(host, []);
  tools.begin(signal);
  return tools;
}

function hookInput(toolInput: Json) {
  const input = { tool_name: "AskUserQuestion", tool_use_id: "call-1", tool_input: toolInput };
  return { subtype: "hook_callback", callback_id: "before-tool", input };
}

test("[agent.questions] Claude Code's question is one of the session's, and its answer the tool's input", async () => {
  const { host, asked } = await answering({ selectedOptionIds: ["Red", "Blue"], freeform: "gold" });
  const input = { questions: [COLOUR] };
  expect(await toolsOf(host).beforeTool(hookInput(input), signal)).toMatchObject({
    hookSpecificOutput: {
      permissionDecision: "allow",
      updatedInput: { ...input, answers: { "Which colours?": "Red, Blue, gold" } },
    },
  });
  expect(asked).toEqual([
    {
      question: "Which colours?",
      multiSelect: true,
      options: [
        { id: "Red", text: "Red: as a rose" },
        { id: "Blue", text: "Blue" },
      ],
    },
  ]);
  // It is no tool that a policy is asked about.
  expect(host.calls).toEqual([]);
});

test.each([
  ["nobody is there", { questions: [COLOUR] }],
  ["it is no question", { questions: "which?" }],
  ["there are none", { questions: [] }],
])("[agent.questions] where %s, it is told that nobody answered", async (_, input) => {
  const tools = toolsOf(await TestHost.start());
  expect(await tools.beforeTool(hookInput(input), signal)).toMatchObject({
    hookSpecificOutput: {
      permissionDecision: "deny",
      permissionDecisionReason: "nobody answered",
    },
  });
});

test("[agent.questions] Codex's questions are answered by their ids, and secrets never asked for", async () => {
  const { host } = await answering({ selectedOptionIds: ["Red"] }, { skipped: true });
  const questions = [
    { id: "a", ...COLOUR },
    { id: "b", question: "And?", options: null },
  ];
  expect(await answerQuestions(host, { questions }, signal)).toEqual({
    answers: { a: { answers: ["Red"] } },
  });
  const secret = { questions: [{ id: "s", question: "Your token?", isSecret: true }] };
  expect(await answerQuestions(host, secret, signal)).toEqual({ answers: {} });
});

test("[agent.elicitation] a form of an MCP server is questions, and its answer the form's content", async () => {
  const { host, asked } = await answering(
    { freeform: "Ada" },
    { freeform: "36" },
    { selectedOptionIds: ["s"] },
    { selectedOptionIds: ["true"] },
    { selectedOptionIds: ["a", "b"] },
  );
  const content = { name: "Ada", age: 36, size: "s", again: true, tags: ["a", "b"] };
  const request = { message: "Who are you?", requestedSchema: FORM };
  expect(await answerElicitation(host, request, signal)).toEqual({ action: "accept", content });
  expect(asked.map(({ question }) => question)).toEqual([
    "Who are you? Your name (as on the card)",
    "age",
    "size",
    "again",
    "tags",
  ]);
  const ofClaude = { subtype: "elicitation", message: "Who?", requested_schema: FORM };
  const answer = await toolsOf(host).elicitation(ofClaude, signal);
  expect(answer).toEqual({ action: "accept", content });
});

test.each<[string, Response[], JsonObject]>([
  ["a field that must be there is skipped", [{ freeform: "Ada" }, { skipped: true }], FORM],
  ["a number is none", [{ freeform: "Ada" }, { freeform: "old" }], FORM],
  ["it is said no", [{ selectedOptionIds: ["false"] }], {}],
])("[agent.elicitation] where %s, it is declined", async (_, responses, schema) => {
  const { host } = await answering(...responses);
  const request = { message: "Who?", requestedSchema: schema };
  expect(await answerElicitation(host, request, signal)).toMatchObject({ action: "decline" });
});

test("[agent.elicitation] an address to open is declined, and where nobody is there it is cancelled", async () => {
  const host = await TestHost.start();
  const url = { message: "Log in", mode: "url", url: "https://example.test" };
  expect(await answerElicitation(host, url, signal)).toMatchObject({ action: "decline" });
  const form = { message: "Who?", requestedSchema: FORM };
  expect(await answerElicitation(host, form, signal)).toMatchObject({ action: "cancel" });
});
