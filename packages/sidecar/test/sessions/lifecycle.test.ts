import { DEFAULTS, METHODS } from "@agentos/protocol";
import { Gate, ScriptedRuntime } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { TestSidecar } from "../sidecar-harness.ts";
import { SessionClient } from "./session-client.ts";
import { SessionWorld } from "./session-world.ts";

/** All but those that need no session. */
const SESSION_METHODS = [
  "session.prompt",
  "session.cancel",
  "session.steer",
  "session.setModel",
  "session.setMode",
  "session.compact",
  "session.respond",
  "session.signalIdle",
  "session.clearHistory",
  "session.handle",
  "session.close",
  "session.delete",
  "session.info",
  "session.events",
  "session.history",
  "session.waitForIdle",
  "session.waitForWakeup",
  "session.fork",
  "session.spawn",
] as const;

describe("a session's life", () => {
  test("[session.case-1] one turn, closed: its agent is gone, and it is no longer among the open ones", async () => {
    await using at = await SessionWorld.start();
    await expect(at.session.prompt("hi")).resolves.toMatchObject({ text: "hi" });
    expect(at.world.sidecar.parts.sessions.count).toBe(1);
    await at.client.peer.request("session.close", at.session.ref);
    expect(at.runtime.agents.size).toBe(0);
    expect(at.world.sidecar.parts.sessions.count).toBe(0);
    const { sessions } = await at.client.peer.request("session.list", {});
    expect(sessions).toMatchObject([
      { sessionId: at.session.sessionId, state: "closed", turns: 1 },
    ]);
  });

  test("[session.case-2] a refused specification leaves nothing, and its id is free", async () => {
    await using at = await SessionWorld.start(undefined, {
      runtime: {
        check: async ({ model }) => {
          if (model === "bad") throw new Error("no such model");
        },
      },
    });
    const refused = SessionClient.createIn(at.client, at.session.scope, {
      sessionId: "s",
      model: "bad",
    });
    await expect(refused).rejects.toMatchObject({ code: "INTERNAL" });
    await expect(at.client.peer.request("session.info", { sessionId: "s" })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    const twice = { name: "t", description: "d", inputSchema: { type: "object" } };
    await expect(
      SessionClient.createIn(at.client, at.session.scope, {
        sessionId: "s",
        tools: [twice, twice],
      }),
    ).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await SessionClient.createIn(at.client, at.session.scope, { sessionId: "s" });
    expect(at.world.sidecar.parts.sessions.count).toBe(2);
  });

  test("[session.case-3] [session.row-create] a start that takes too long is torn down, also where the agent comes later", async () => {
    const late = new Gate();
    const asked = new Gate();
    const runtime = new ScriptedRuntime({
      onOpen: async () => {
        asked.open();
        await late.opened;
      },
    });
    await using world = await TestSidecar.start({ runtimes: [runtime] });
    await using client = await world.connect();
    const { lease } = await client.create();
    const created = SessionClient.createIn(client, lease, { timeouts: { startMs: 5_000 } });
    await asked.opened;
    world.clock.advance(5_000);
    late.open();
    await expect(created).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(runtime.agents.size).toBe(0);
    expect(world.sidecar.parts.sessions.count).toBe(0);
  });

  test("a session that is closed while it starts never was", async () => {
    const asked = new Gate();
    const runtime = new ScriptedRuntime({
      onOpen: async (_request, signal) => {
        asked.open();
        await new Promise((resolve) => {
          signal.addEventListener("abort", resolve, { once: true });
        });
      },
    });
    await using world = await TestSidecar.start({ runtimes: [runtime] });
    await using client = await world.connect();
    const { lease } = await client.create();
    const created = SessionClient.createIn(client, lease, { sessionId: "s" });
    created.catch(() => undefined);
    await asked.opened;
    const { vmId, fence } = lease;
    await client.peer.request("session.close", { vmId, fence, sessionId: "s" });
    await expect(created).rejects.toMatchObject({ code: "SESSION_CLOSED" });
    await expect(client.peer.request("session.info", { sessionId: "s" })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    expect(runtime.agents.size).toBe(0);
  });

  test("[session.case-4] [session.case-5] closing twice is closing once; a prompt afterwards is refused", async () => {
    await using at = await SessionWorld.start();
    const close = () => at.client.peer.request("session.close", at.session.ref);
    await Promise.all([close(), close()]);
    await close();
    await expect(at.session.send("hi")).rejects.toMatchObject({
      code: "SESSION_CLOSED",
      details: { sessionId: at.session.sessionId, state: "closed" },
    });
    expect((await at.session.events()).ended).toBe(true);
  });

  test("[session.case-6] every command on an unknown id names it; another user's is unknown", async () => {
    await using at = await SessionWorld.start();
    const { vmId, fence } = at.session.scope;
    const params = {
      vmId,
      fence,
      sessionId: "nobody",
      turnId: "t",
      content: "hi",
      model: "m",
      mode: "m",
      source: "prompt",
      requestId: "r",
      answer: { kind: "permission", decision: "allow" },
      after: 0,
      callbacks: [],
      childId: "c",
      agent: { description: "d" },
      into: { vmId, fence, sessionId: "f" },
    } as const;
    const named = Object.keys(METHODS).filter((name) => name.startsWith("session."));
    const withoutOne = ["session.create", "session.list"];
    expect([...SESSION_METHODS, ...withoutOne].toSorted()).toEqual(named.toSorted());
    const unknown = { code: "NOT_FOUND", details: { kind: "session", id: "nobody" } };
    for (const method of SESSION_METHODS) {
      // oxlint-disable-next-line no-await-in-loop -- Each by itself.
      await expect(at.client.peer.request(method, params)).rejects.toMatchObject(unknown);
    }
    await using stranger = await at.world.connect(await at.world.keyOf("eve"));
    const { sessionId } = at.session;
    for (const method of ["session.info", "session.delete"] as const) {
      // oxlint-disable-next-line no-await-in-loop -- Each by itself.
      await expect(stranger.peer.request(method, { sessionId })).rejects.toMatchObject({
        code: "NOT_FOUND",
        details: { id: sessionId },
      });
    }
    expect((await stranger.peer.request("session.list", {})).sessions).toEqual([]);
  });

  test("[session.case-7] a session whose client is gone ends with its VM, in the background", async () => {
    await using at = await SessionWorld.start(undefined, { sidecar: { leaseGraceMs: 1_000 } });
    await at.client[Symbol.asyncDispose]();
    await at.client.peer.closed;
    await expect
      .poll(() => {
        at.world.clock.advance(1_000);
        return at.world.sidecar.parts.sessions.count;
      })
      .toBe(0);
    expect(at.runtime.agents.size).toBe(0);
    await using next = await at.world.connect();
    const { sessions } = await next.peer.request("session.list", {});
    expect(sessions).toMatchObject([{ state: "closed" }]);
  });

  test("[session.case-8] ten quick lives leave nothing behind", async () => {
    const runtime = new ScriptedRuntime();
    await using world = await TestSidecar.start({ runtimes: [runtime] });
    await using client = await world.connect();
    const { lease } = await client.create();
    for (let count = 0; count < 10; count += 1) {
      // oxlint-disable-next-line no-await-in-loop -- One life after the other.
      const session = await SessionClient.createIn(client, lease);
      // oxlint-disable-next-line no-await-in-loop -- As above.
      await client.peer.request("session.close", session.ref);
      expect(world.sidecar.parts.sessions.count).toBe(0);
    }
    expect(runtime.agents.size).toBe(0);
    expect(runtime.opened).toHaveLength(10);
  });

  test("[session.case-9] [session.case-84] [session.row-shutdown] the sidecar's end exits every agent, those included that fail or hang", async () => {
    const asked = new Gate();
    let ends = 0;
    const runtime = new ScriptedRuntime({
      onDispose: async () => {
        ends += 1;
        if (ends === 1) throw new Error("stuck");
        if (ends === 3) asked.open();
        else await new Promise(() => undefined);
      },
      script: async ({ forever }) => await forever(),
    });
    await using world = await TestSidecar.start({ runtimes: [runtime] });
    await using client = await world.connect();
    await SessionClient.create(client);
    await SessionClient.create(client);
    const last = await SessionClient.create(client);
    const { turnId } = await last.send("stay");
    const told = last.find((event) => event.type === "turn_end" && event.turnId === turnId);
    await expect.poll(() => runtime.prompts.length).toBe(1);
    const closed = world.sidecar.close("the end");
    await asked.opened;
    await expect(told).resolves.toMatchObject({ result: { stopReason: "cancelled" } });
    world.clock.advance(DEFAULTS.agentShutdownMs);
    await closed;
    expect(ends).toBe(3);
  });

  test("[session.case-10] [session.row-delete] [session.row-disconnect] a closed session's state is kept and can be resumed; a deleted one is forgotten", async () => {
    await using at = await SessionWorld.start(async ({ prompt, host }) => {
      host.recordSession("native-1");
      return prompt;
    });
    await at.session.prompt("one");
    await at.client.peer.request("session.close", at.session.ref);
    const { sessionId } = at.session;
    await SessionClient.createIn(at.client, at.session.scope, {
      sessionId,
      resume: { mode: "resume" },
    });
    expect(at.runtime.opened.at(-1)?.agentSessionId).toBe("native-1");
    await expect(at.session.prompt("two")).resolves.toMatchObject({ text: "two" });
    await expect(at.session.info()).resolves.toMatchObject({
      turns: 2,
      agentSessionId: "native-1",
    });
    await at.client.peer.request("session.delete", { sessionId });
    await expect(at.session.info()).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(at.runtime.agents.size).toBe(0);
  });

  test("a reader that waits hears that its session was deleted", async () => {
    await using at = await SessionWorld.start();
    const { lastSeq } = await at.session.info();
    const read = at.session.events(lastSeq, 20_000);
    await at.client.peer.request("ping", {});
    await at.client.peer.request("session.delete", { sessionId: at.session.sessionId });
    expect((await read).events[0]).toMatchObject({ type: "state", state: "closed" });
  });

  test("[session.case-11] the same id again is the same session; with another specification it is refused", async () => {
    await using at = await SessionWorld.start(undefined, { spec: { sessionId: "s" } });
    await SessionClient.createIn(at.client, at.session.scope, { sessionId: "s" });
    expect(at.runtime.opened).toHaveLength(1);
    const other = { sessionId: "s", model: "m" };
    await expect(SessionClient.createIn(at.client, at.session.scope, other)).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
    });
    const only = { sessionId: "s", resume: { mode: "create_only" } } as const;
    await expect(SessionClient.createIn(at.client, at.session.scope, only)).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
    });
    await using stranger = await at.world.connect(await at.world.keyOf("eve"));
    await SessionClient.create(stranger, { sessionId: "s" });
    expect(at.world.sidecar.parts.sessions.count).toBe(2);
  });

  test("[session.case-72] an unknown runtime is refused with those that there are, and what one can't do is refused", async () => {
    const bare = new ScriptedRuntime({
      name: "bare",
      capabilities: { permissions: "none", outputSchema: false, usage: false, fork: false },
    });
    await using at = await SessionWorld.start(undefined, {
      sidecar: { runtimes: [new ScriptedRuntime(), bare] },
    });
    const open = (spec: object) => SessionClient.createIn(at.client, at.session.scope, spec);
    await expect(open({ runtime: "cobol" })).rejects.toMatchObject({
      code: "UNKNOWN_RUNTIME",
      details: { runtime: "cobol", known: ["scripted", "bare"] },
    });
    const runtime = "bare";
    const ask = { rules: [{ tool: "run_command", decision: "ask" }], otherwise: "border" };
    for (const spec of [
      { policy: ask },
      { policy: { rules: [], otherwise: "deny" } },
      { policy: { rules: [], otherwise: "border", workspaceOnly: ["/workspace"] } },
      { hooks: [{ point: "pre_tool_call", callback: "h" }] },
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- Each by itself.
      await expect(open({ runtime, ...spec })).rejects.toMatchObject({
        code: "UNSUPPORTED_POLICY",
        details: { runtime },
      });
    }
    for (const spec of [{ outputSchema: { type: "object" } }, { budget: { usd: 1 } }]) {
      // oxlint-disable-next-line no-await-in-loop -- Each by itself.
      await expect(open({ runtime, ...spec })).rejects.toMatchObject({ code: "UNSUPPORTED" });
    }
    await expect(open({ outputSchema: { type: "array" } })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      details: { argument: "session.outputSchema" },
    });
    const allowed = { rules: [{ tool: "*", decision: "allow" }], otherwise: "deny" };
    await expect(open({ runtime, policy: allowed })).resolves.toBeDefined();
  });

  test("one session more than there may be is refused", async () => {
    await using at = await SessionWorld.start(undefined, { sidecar: { maxSessions: 1 } });
    await expect(SessionClient.createIn(at.client, at.session.scope)).rejects.toMatchObject({
      code: "POOL_EXHAUSTED",
      details: { limit: "sessionsPerSidecar", capacity: 1 },
    });
  });

  test("[session.sem-5] an agent that does not end in time: the close says so, and the session is failed", async () => {
    const asked = new Gate();
    await using at = await SessionWorld.start(undefined, {
      spec: { timeouts: { shutdownMs: 1_000 } },
      runtime: {
        onDispose: async () => {
          asked.open();
          await new Promise(() => undefined);
        },
      },
    });
    const closed = at.client.peer.request("session.close", at.session.ref);
    await asked.opened;
    at.world.clock.advance(1_000);
    await expect(closed).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    const { sessions } = await at.client.peer.request("session.list", {});
    expect(sessions).toMatchObject([{ state: "failed" }]);
  });
});
