import {
  afterTools,
  lastUserText,
  otherwise,
  type Rule,
  text,
  toolCall,
  when,
} from "@agentos/fake-model";

import type { AgentUnderTest } from "./agent-under-test.ts";

/** What `shellJob` answers to. */
export const SHELL_JOB = "SHELL JOB";
/** The key that no VM may ever have. */
export const CANARY = "canary-key-5f1d8a3c9e";

/** Whatever else an agent asks its model on the way: titles, summaries. */
export const REST = otherwise().reply(text("ok"));

/** A turn that runs a command and tells what it said. */
export function shellJob({ shell }: AgentUnderTest, command: string): Rule[] {
  return [
    when(afterTools(shell.offered)).reply(({ newResults }) =>
      text(`The shell said: ${newResults.at(-1)?.result.text}`),
    ),
    when(lastUserText(/SHELL JOB/)).reply([
      text("I will look. "),
      toolCall(shell.offered, shell.input(command)),
    ]),
    when(lastUserText(/SECOND/)).reply(text("That was all.")),
    REST,
  ];
}
