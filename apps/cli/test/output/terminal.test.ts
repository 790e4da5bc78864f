import { AgentOsError } from "@agentos/client";
import { expect, test } from "vitest";

import { printFailure } from "../../src/output/failure.ts";
import { formatTable } from "../../src/output/table.ts";
import { writeJson } from "../../src/output/write.ts";
import { createFakeIo } from "../fake-io.ts";

/** A title, a clipboard write, a link, a C1 sequence, a return to the line's start, reversed text. */
const ESCAPES =
  "\u001B]0;title\u0007\u001B]52;c;aGk=\u0007\u001B]8;;http://x\u0007link\u009B31m\rover\u202Etxt";
// oxlint-disable-next-line no-control-regex
const OBEYED = /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u202E]/;

test("[S42] a guest's words in errors, tables and JSON can't drive the terminal", async () => {
  const io = createFakeIo();
  const details = { command: ESCAPES, exitCode: 127 } as const;
  await printFailure(io, new AgentOsError("COMMAND_NOT_FOUND", `no ${ESCAPES}`, details), false);
  await printFailure(io, new AgentOsError("COMMAND_NOT_FOUND", `no ${ESCAPES}`, details), true);
  expect(io.printed.stderr).toContain("title");
  expect(io.printed.stderr).not.toMatch(OBEYED);
  const column = { title: "COMMAND", value: (row: string) => row };
  expect(formatTable([column], [ESCAPES])).not.toMatch(OBEYED);
  await writeJson(io.stdout, { command: ESCAPES });
  expect(io.printed.stdout).not.toMatch(OBEYED);
  expect(JSON.parse(io.printed.stdout)).toEqual({ command: ESCAPES });
});
