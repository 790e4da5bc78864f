import type { Json } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import { SessionClient } from "./session-client.ts";
import { SessionWorld } from "./session-world.ts";

const outputSchema = {
  type: "object",
  properties: { sum: { type: "number" } },
  required: ["sum"],
};

/** A turn whose agent gives its prompt, as JSON, as its output. */
async function outputs(at: SessionWorld, output: Json | undefined) {
  const { turnId } = await at.session.send(output === undefined ? "none" : JSON.stringify(output));
  const result = await at.session.result(turnId);
  const { events } = await at.session.events();
  const notices = events.flatMap((event) =>
    event.type === "notice" && event.turnId === turnId ? [event.message] : [],
  );
  return { result, notices };
}

describe("structured output", () => {
  test("[session.output-checked] is told where it matches its schema; else there is none, and a notice says why", async () => {
    await using at = await SessionWorld.start(
      async ({ prompt }) =>
        prompt === "none" ? "words" : { text: "words", output: JSON.parse(prompt) },
      { spec: { outputSchema } },
    );
    await expect(outputs(at, { sum: 3, why: "1 + 2" })).resolves.toMatchObject({
      result: { stopReason: "end_turn", output: { sum: 3, why: "1 + 2" } },
      notices: [],
    });
    for (const wrong of [{ sum: "three" }, {}, [3], "3", 3] satisfies Json[]) {
      // oxlint-disable-next-line no-await-in-loop -- One turn after the other.
      await expect(outputs(at, wrong)).resolves.toMatchObject({
        result: { stopReason: "end_turn", text: "words", output: null },
        notices: [expect.stringContaining("the output does not match its schema")],
      });
    }
    await expect(outputs(at, undefined)).resolves.toMatchObject({
      result: { output: null },
      notices: [],
    });
  });

  test("[session.output-checked] a schema that can't be checked is refused when the session is created, with any runtime", async () => {
    await using at = await SessionWorld.start(undefined, {
      runtime: { capabilities: { builtinTools: false } },
    });
    for (const schema of [
      { type: "array" },
      {},
      { type: "object", properties: { a: { type: "no" } } },
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- Each by itself.
      await expect(
        SessionClient.createIn(at.client, at.session.scope, { outputSchema: schema }),
      ).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        details: { argument: "session.outputSchema" },
      });
    }
  });
});
