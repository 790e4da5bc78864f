import type { CallbackParams } from "@agentos/protocol";
import { Gate, ScriptedRuntime } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { type TestClient, TestSidecar } from "../sidecar-harness.ts";
import { openClient } from "../websocket-client.ts";
import { SessionClient } from "./session-client.ts";

const TOOLS = [
  {
    name: "deploy",
    description: "d",
    inputSchema: { type: "object" },
    crossesBorder: false,
    timeoutMs: 5_000,
  },
];

/** A session over a real socket, whose agent calls the client's tool. */
async function start() {
  const runtime = new ScriptedRuntime({
    script: async ({ call }) => JSON.stringify(await call("deploy", { to: "moon" })),
  });
  const world = await TestSidecar.start({ runtimes: [runtime] });
  const client = await openClient(world.ready.listen, world.ready.apiKey);
  const session = await SessionClient.create(client, { tools: TOOLS });
  return { world, client, session };
}

function handle(client: TestClient, session: SessionClient, text: string, calls: CallbackParams[]) {
  client.onCallback = async (params) => {
    calls.push(params);
    return { kind: "tool", isError: false, content: [{ type: "text", text }] };
  };
  return client.peer.request("session.handle", { ...session.ref, callbacks: ["tool:deploy"] });
}

describe("functions of the client, over a real socket", () => {
  test("[session.callback] the last connection that has it is asked", async () => {
    const at = await start();
    await using world = at.world;
    await using client = at.client;
    await using other = await openClient(world.ready.listen, world.ready.apiKey);
    await other.peer.request("vm.attach", {
      vm: at.session.scope.vmId,
      leaseId: "l2",
      mode: "shared",
    });
    const calls: CallbackParams[] = [];
    await handle(client, at.session, "first", calls);
    const { text } = await at.session.prompt("go");
    expect(text).toContain("first");
    expect(calls[0]).toMatchObject({
      sessionId: at.session.sessionId,
      callback: "tool:deploy",
      ask: { kind: "tool", name: "deploy", input: { to: "moon" } },
    });
    await handle(other, at.session, "second", calls);
    await expect(at.session.prompt("go")).resolves.toMatchObject({
      text: expect.stringContaining("second"),
    });
  });

  test("[session.callback-lost] a call of a lost connection waits for the next one that has it, with the same id", async () => {
    const at = await start();
    await using world = at.world;
    const asked = new Gate<string>();
    at.client.onCallback = async ({ callId }) => {
      asked.open(callId);
      return await new Promise(() => undefined);
    };
    await at.client.peer.request("session.handle", {
      ...at.session.ref,
      callbacks: ["tool:deploy"],
    });
    await using next = await openClient(world.ready.listen, world.ready.apiKey);
    const { lease } = await next.peer.request("vm.attach", {
      vm: at.session.scope.vmId,
      leaseId: "l2",
      mode: "shared",
    });
    const { turnId } = await at.session.send("go");
    const callId = await asked.opened;
    await at.client[Symbol.asyncDispose]();
    const session = new SessionClient(next, lease, at.session.sessionId);
    const calls: CallbackParams[] = [];
    await handle(next, session, "late", calls);
    await expect(session.result(turnId)).resolves.toMatchObject({
      text: expect.stringContaining("late"),
    });
    expect(calls).toMatchObject([{ callId }]);
  });

  test("one that nobody has within its time, that throws, or answers something else is a failed call", async () => {
    const at = await start();
    await using world = at.world;
    await using client = at.client;
    const { turnId } = await at.session.send("go");
    await at.session.find(({ type }) => type === "tool_call");
    await expect
      .poll(async () => {
        world.clock.advance(5_000);
        return (await at.session.info()).turnId;
      })
      .toBeNull();
    await expect(at.session.result(turnId)).resolves.toMatchObject({
      text: expect.stringContaining('"outcome":"failed"'),
    });
    const answers = [
      async () => {
        throw new Error("out of fuel");
      },
      async () => ({ kind: "predicate" as const, matches: true }),
    ];
    await handle(client, at.session, "", []);
    for (const answer of answers) {
      client.onCallback = answer;
      // oxlint-disable-next-line no-await-in-loop -- One turn after the other.
      const { text } = await at.session.prompt("go");
      expect(text).toContain('"outcome":"failed"');
    }
  });
});
