import { fitSchema } from "../conversation/json-schema.ts";
import type { ModelRequest, ToolResult } from "../conversation/model-request.ts";
import { text, type ReplyPart } from "../script/reply-part.ts";
import { otherwise, script, when, type Script } from "../script/rule.ts";
import { readTestOutput } from "./test-output.ts";
import { ToolKit, type Edit } from "./tool-kit.ts";

/** What is wrong in `examples/word-count`. */
const WORD_COUNT: Edit = {
  path: "src/count-words.js",
  wrong: String.raw`return text.split(/\s+/).length;`,
  right: String.raw`return text.match(/\S+/g)?.length ?? 0;`,
};

const UNCLEAR = "I can't tell from the output whether the tests pass, and stop here.";

/** The calls of a whole conversation after which the script gives up. */
const MAX_CALLS = 60;

/**
 * Does a coding agent's job on a small project through whatever tools a request offers: lists the
 * files, runs `npm test`, reads what fails, makes one edit, runs the tests again, sums up. What it
 * says of the tests is read from their output.
 */
export function fixFailingTest(edit: Edit = WORD_COUNT): Script {
  return script([
    when(({ answerSchema: schema }) => schema !== undefined).reply((request) =>
      text(JSON.stringify(fitSchema(request.answerSchema ?? {}))),
    ),
    // Titles, summaries, probes: what agents ask beside the job.
    when(({ tools }) => tools.length === 0).reply(text("Fix the failing test")),
    otherwise().reply((request) => nextStep(request, edit)),
  ]);
}

function nextStep(request: ModelRequest, edit: Edit): ReplyPart[] {
  const calls = request.messages.reduce((sum, message) => sum + message.calls.length, 0);
  if (calls > MAX_CALLS) return [text("I have tried too often, and stop here.")];
  const kit = new ToolKit(request.tools, directoryOf(request));
  switch (request.step) {
    case 0:
      return say("I'll look at the project first.", kit.list());
    case 1:
      return say("Now the tests.", kit.run("npm test", "Run the tests"));
    case 2:
      return readFaulty(request, kit, edit);
    case 3:
      return makeEdit(request, kit, edit);
    case 4:
      return runAgain(request, kit);
    case 5:
      return sumUp(request, kit, edit);
    default:
      return [text("Done.")];
  }
}

function readFaulty(request: ModelRequest, kit: ToolKit, edit: Edit): ReplyPart[] {
  const { outcome, failures, files } = readTestOutput(lastResult(request)?.text ?? "");
  if (outcome === "unclear") return [text(UNCLEAR)];
  if (outcome === "passed") return [text("All tests pass. There is nothing to fix.")];
  const [test] = files;
  const count = failures === undefined ? "The tests fail" : `${failures} failing`;
  const also = test === undefined ? [] : [kit.view(test)];
  return say(`${count}. I'll read the code behind it.`, kit.view(edit.path), ...also);
}

function makeEdit(request: ModelRequest, kit: ToolKit, edit: Edit): ReplyPart[] {
  const source = request.newResults.find(({ result }) => result.text.includes(edit.wrong));
  if (source === undefined) {
    return [
      text(`I expected \`${edit.wrong}\` in ${edit.path}, but it is not there. I stop here.`),
    ];
  }
  const after = withoutLineNumbers(source.result.text).replace(edit.wrong, () => edit.right);
  const why = `In ${edit.path}, \`${edit.wrong}\` is wrong: white space around the text counts too.`;
  return say(why, kit.edit(edit, after));
}

function runAgain(request: ModelRequest, kit: ToolKit): ReplyPart[] {
  const result = lastResult(request);
  if (result?.isError === true) return [text(`The edit did not work: ${result.text}`)];
  return say("The tests again.", kit.run("npm test", "Run the tests again"));
}

function sumUp(request: ModelRequest, kit: ToolKit, edit: Edit): ReplyPart[] {
  const { outcome, passes } = readTestOutput(lastResult(request)?.text ?? "");
  if (outcome === "unclear") return [text(UNCLEAR)];
  if (outcome === "failed")
    return [text("The tests still fail. My edit was not enough, and I stop here.")];
  const count = passes === undefined ? "All tests" : `All ${passes} tests`;
  const summary = `${count} pass. I changed one line of ${edit.path}: \`${edit.right}\``;
  const finish = kit.finish(summary);
  return finish === undefined ? [text(summary)] : [text(summary), finish];
}

function say(words: string, ...calls: readonly (ReplyPart | undefined)[]): ReplyPart[] {
  const possible = calls.filter((call) => call !== undefined);
  if (possible.length > 0) return [text(words), ...possible];
  return [text("I was offered no tool for this, and stop here.")];
}

function lastResult({ newResults }: ModelRequest): ToolResult | undefined {
  return newResults.at(-1)?.result;
}

/** Where the project is: a line of what the first tool printed. */
function directoryOf({ calls }: ModelRequest): string | undefined {
  return /^\/[^\n]*[^\n/]$/m.exec(calls[0]?.result?.text ?? "")?.[0];
}

/** Some tools number the lines of what they show. */
function withoutLineNumbers(shown: string): string {
  const lines = shown.split("\n");
  const numbered = lines.every((line) => line === "" || /^\s*\d+[\t→|:]/.test(line));
  return numbered ? lines.map((line) => line.replace(/^\s*\d+[\t→|:] ?/, "")).join("\n") : shown;
}
