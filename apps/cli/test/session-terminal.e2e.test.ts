import {
  FakeModelServer,
  afterTools,
  otherwise,
  script,
  text,
  toolCall,
  when,
} from "@agentos/fake-model";
import { expect, test } from "vitest";

import { AgentOsCommand } from "./agentos-command.ts";
import { canPlayTerminal, Person } from "./person.ts";

const model = script([
  when(afterTools()).reply(({ newResults }) => text(`It said ${newResults[0]?.result.text}`)),
  otherwise().reply(toolCall("run_command", { command: "echo made-it" })),
]);

test("a person at the terminal is asked, an unreadable answer again, and what was answered holds", async ({
  skip,
}) => {
  skip(!canPlayTerminal, "this machine has no python3 with pty");
  await using agentos = await AgentOsCommand.create();
  await using server = await FakeModelServer.start({ script: model });
  const provider = ["--provider", "openai-compatible", "--base-url", `${server.url}/v1`];
  const start = ["session", "start", "--runtime", "api", ...provider, "--model", "made-up"];
  await using person = Person.at(agentos, [...start, "--ask", "run_command", "go"]);
  await person.sees("May it? run_command echo made-it");
  await person.sees("n no > ");
  person.type("perhaps\r");
  await person.sees("n no > ");
  person.type("y\r");
  await person.sees("It said");
  expect(await person.left).toEqual({ code: 0, isRestored: true });
  expect(person.screen).toContain("made-it");

  await using other = Person.at(agentos, [...start, "--ask", "run_command", "go"]);
  await other.sees("n no > ");
  other.type("n\r");
  await other.sees("denied: the user denied it");
  expect((await other.left).code).toBe(0);
});

test("Ctrl-C at a question ends the turn as anywhere else, and Ctrl-D is no", async ({ skip }) => {
  skip(!canPlayTerminal, "this machine has no python3 with pty");
  await using agentos = await AgentOsCommand.create();
  await using server = await FakeModelServer.start({ script: model });
  const provider = ["--provider", "openai-compatible", "--base-url", `${server.url}/v1`];
  const start = ["session", "start", "--runtime", "api", ...provider, "--model", "made-up"];
  await using person = Person.at(agentos, [...start, "--ask", "run_command", "go"]);
  await person.sees("n no > ");
  person.type("\u0003");
  await person.sees("stopped: cancelled");
  expect(await person.left).toEqual({ code: 130, isRestored: true });
  expect(person.screen).not.toContain("denied");

  await using other = Person.at(agentos, [...start, "--ask", "run_command", "go"]);
  await other.sees("n no > ");
  other.type("\u0004");
  await other.sees("denied: the user denied it");
  expect(await other.left).toEqual({ code: 0, isRestored: true });
});
