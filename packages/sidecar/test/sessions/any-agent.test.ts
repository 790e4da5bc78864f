import { FakeModelServer, otherwise, script, text, toolCall, when } from "@agentos/fake-model";
import { ApiRuntime } from "@agentos/runtimes";
import { ScriptedRuntime } from "@agentos/testing";
import { expect, test } from "vitest";

import { type TestClient, TestSidecar } from "../sidecar-harness.ts";
import { SessionClient } from "./session-client.ts";
import type { Spec } from "./session-world.ts";

/** What a session tells of one turn with one tool. */
async function told(client: TestClient, spec: Partial<Spec>) {
  const session = await SessionClient.create(client, spec);
  const result = await session.prompt("write it");
  await client.peer.request("session.close", session.ref);
  const { events, ended } = await session.events();
  const { state, turns, lastResponse } = await session.info();
  const { stopReason, text: said } = result;
  const types = events.map(({ type }) => type).filter((type) => type !== "usage");
  return { types, ended, stopReason, said, state, turns, lastResponse };
}

test("[session.case-89] the engine tells the same whatever agent is behind it", async () => {
  const input = { path: "a.txt", content: "hello" };
  await using server = await FakeModelServer.start({
    script: script([
      when(({ step }) => step === 0).reply(toolCall("create_file", input)),
      otherwise().reply(text("Done.")),
    ]),
  });
  const scripted = new ScriptedRuntime({
    script: async ({ host, call, say }) => {
      host.recordSession("own");
      await call("create_file", input);
      say("Done.");
      return "Done.";
    },
  });
  await using world = await TestSidecar.start({ runtimes: [scripted, new ApiRuntime()] });
  await using client = await world.connect();
  const provider = { name: "anthropic", baseUrl: `${server.url}/v1`, apiKey: "made-up" };
  const one = await told(client, { runtime: "scripted" });
  const other = await told(client, { runtime: "anthropic", provider });
  expect(one).toEqual(other);
  expect(one).toMatchObject({ stopReason: "end_turn", said: "Done.", state: "closed", turns: 1 });
});
