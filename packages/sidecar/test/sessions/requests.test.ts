import { describe, expect, test } from "vitest";

import { SessionWorld } from "./session-world.ts";

const SPEC = {
  asks: "wait",
  tools: [{ name: "deploy", description: "d", inputSchema: { type: "object" } }],
  timeouts: { stepIdleMs: 1_000, inactivityMs: 1_000 },
  budget: { wallMs: 5_000 },
} as const;

const spec = { ...SPEC, tools: [{ ...SPEC.tools[0] }] };

/** Calls the tool that the default policy asks for. */
async function asking(): Promise<SessionWorld> {
  return await SessionWorld.start(
    async ({ call, prompt }) => (prompt === "deploy" ? (await call("deploy")).outcome : prompt),
    { spec },
  );
}

describe("requests to people", () => {
  test("[session.sem-2] an open request parks the turn: nothing times out, no time counts, and a late answer counts once", async () => {
    await using at = await asking();
    at.client.onCallback = async () => ({ kind: "tool", isError: false, content: [] });
    await at.client.peer.request("session.handle", {
      ...at.session.ref,
      callbacks: ["tool:deploy"],
    });
    const { turnId } = await at.session.send("deploy");
    const asked = await at.session.find(({ type }) => type === "request");
    if (asked.type !== "request") throw new Error("not a request");
    const { requestId } = asked.request;
    await expect(at.session.info()).resolves.toMatchObject({
      state: "waiting",
      pending: [{ requestId, kind: "permission", turnId }],
    });
    at.world.clock.advance(3_600_000);
    const respond = (more: object = {}) =>
      at.client.peer.request("session.respond", {
        ...at.session.ref,
        requestId,
        answer: { kind: "permission", decision: "allow" },
        ...more,
      });
    await expect(respond({ requestId: "unknown" })).rejects.toMatchObject({
      code: "NOT_FOUND",
      details: { kind: "request" },
    });
    const question = { kind: "question", responses: [{ freeform: "x" }] };
    await expect(respond({ answer: question })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await respond();
    await expect(respond()).rejects.toMatchObject({
      code: "REQUEST_SETTLED",
      details: { requestId, outcome: "allowed" },
    });
    await expect(at.session.result(turnId)).resolves.toMatchObject({ text: "ok" });
    await at.client.peer.request("session.close", at.session.ref);
    await expect(respond()).rejects.toMatchObject({ code: "REQUEST_SETTLED" });
  });

  test("a cancel settles what is open as cancelled, before the turn's end is told", async () => {
    await using at = await asking();
    const { turnId } = await at.session.send("deploy");
    await at.session.find(({ type }) => type === "request");
    await at.client.peer.request("session.cancel", at.session.ref);
    const { events } = await at.session.events();
    const types = events.map(({ type }) => type);
    expect(types.indexOf("request_resolved")).toBeLessThan(types.indexOf("turn_end"));
    expect(events.find(({ type }) => type === "request_resolved")).toMatchObject({
      outcome: "cancelled",
      turnId,
    });
    await expect(at.session.info()).resolves.toMatchObject({ state: "idle", pending: [] });
    await expect(at.session.prompt("next")).resolves.toMatchObject({ text: "next" });
  });

  test("a client that goes away and comes back answers what it was asked", async () => {
    await using at = await asking();
    const { turnId } = await at.session.send("deploy");
    const asked = await at.session.find(({ type }) => type === "request");
    const requestId = asked.type === "request" ? asked.request.requestId : "";
    await using next = await at.world.connect();
    await next.peer.request("vm.attach", {
      vm: at.session.scope.vmId,
      leaseId: "l2",
      mode: "shared",
    });
    await at.client[Symbol.asyncDispose]();
    const answer = { kind: "permission", decision: "deny", message: "no" } as const;
    await next.peer.request("session.respond", { ...at.session.ref, requestId, answer });
    const { sessionId } = at.session;
    await expect
      .poll(async () => (await next.peer.request("session.info", { sessionId })).lastResponse)
      .toBe("denied");
    expect(turnId).toBeDefined();
  });
});
