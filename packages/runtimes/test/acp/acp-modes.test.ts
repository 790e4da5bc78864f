import { expect, test } from "vitest";

import { SessionResult } from "../../src/acp/acp-message.ts";
import { acpModes } from "../../src/acp/acp-modes.ts";
import { GEMINI_AGENT } from "../../src/gemini-cli/gemini-agent.ts";

const everyOne = (): boolean => true;

test("[agent.modes-ask] a mode in which an agent would run its tools without asking is not offered", () => {
  const result = SessionResult.parse({
    sessionId: "s",
    modes: {
      currentModeId: "default",
      availableModes: ["default", "autoEdit", "yolo", "plan"].map((id) => ({ id, name: id })),
    },
  });
  const modes = acpModes(result, (mode) => GEMINI_AGENT.asksIn(mode));
  expect(modes).toMatchObject({ current: "default", option: undefined });
  expect(modes?.available.map(({ id }) => id)).toEqual(["default", "plan"]);
});

test("modes come as an option of the session too, or not at all", () => {
  const options = [
    { value: "build", name: "Build" },
    { value: "plan", name: "Plan" },
  ];
  const option = { id: "mode", category: "mode", currentValue: "build", options };
  const asked = SessionResult.parse({ sessionId: "s", configOptions: [option] });
  expect(acpModes(asked, everyOne)).toEqual({
    current: "build",
    option: "mode",
    available: [
      { id: "build", name: "Build" },
      { id: "plan", name: "Plan" },
    ],
  });
  expect(acpModes(SessionResult.parse({ sessionId: "s" }), everyOne)).toBeUndefined();
  const strange = SessionResult.parse({ sessionId: "s", modes: "many", configOptions: null });
  expect(acpModes(strange, everyOne)).toBeUndefined();
});
