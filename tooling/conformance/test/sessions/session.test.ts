import { expect, test } from "vitest";
import * as z from "zod";

import {
  AgentOs,
  allow,
  ask,
  confirmRunCommand,
  defineTool,
  type PendingRequest,
  type SessionEvent,
} from "@agentos/client";
import { SessionWorld } from "./session-world.ts";

async function collect(events: AsyncIterable<SessionEvent>): Promise<SessionEvent[]> {
  const all: SessionEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

test("a turn is iterated for its events and awaited for its result", async () => {
  await using world = await SessionWorld.start();
  await using session = await world.session(async ({ say, used }) => {
    say("Hel");
    say("lo");
    used(7, { costUsd: 0.5 });
    return "Hello";
  });
  const turn = session.prompt("hi");
  const events = await collect(turn);
  expect(events.map(({ type }) => type)).toContain("turn_start");
  expect(events.at(-1)?.type).toBe("turn_end");
  const text = events.flatMap((event) => (event.type === "text" ? [event.delta] : [])).join("");
  expect(text).toBe("Hello");
  expect(await turn).toMatchObject({ text: "Hello", stopReason: "end_turn", costUsd: 0.5 });
  expect(await turn.text()).toBe("Hello");
});

test("a turn that nobody reads runs, and can be read later, twice", async () => {
  await using world = await SessionWorld.start();
  await using session = await world.session();
  const turn = session.prompt("hi");
  await turn.accepted;
  await session.waitForIdle();
  const [first, second] = await Promise.all([collect(turn), collect(turn)]);
  expect(first).toStrictEqual(second);
  expect((await turn).turnId).toBe(turn.id);
});

test("leaving the loop early neither ends the turn nor the next one", async () => {
  await using world = await SessionWorld.start();
  const gate = Promise.withResolvers<undefined>();
  await using session = await world.session(async ({ say, until }) => {
    say("first");
    await until(gate.promise);
    return "done";
  });
  const turn = session.prompt("hi");
  for await (const event of turn) if (event.type === "text") break;
  gate.resolve(undefined);
  expect(await turn).toMatchObject({ text: "done" });
  expect(await session.prompt("again")).toMatchObject({ text: "done" });
});

test("a cancelled turn rejects with CANCELLED, and the next one works", async () => {
  await using world = await SessionWorld.start();
  await using session = await world.session(({ prompt, forever }) =>
    prompt === "wait" ? forever() : Promise.resolve("fine"),
  );
  const turn = session.prompt("wait");
  await turn.cancel();
  await expect(turn).rejects.toMatchObject({ code: "CANCELLED" });
  expect(await session.prompt("go").text()).toBe("fine");
  await turn.cancel();
});

test("a signal cancels its own turn", async () => {
  await using world = await SessionWorld.start();
  await using session = await world.session(({ forever }) => forever());
  const controller = new AbortController();
  const turn = session.prompt("wait", { signal: controller.signal });
  const started = collect(turn);
  controller.abort();
  await expect(turn).rejects.toMatchObject({ code: "CANCELLED" });
  expect((await started).at(-1)).toMatchObject({ type: "turn_end" });
});

test("a refused prompt rejects both ways, with what was wrong", async () => {
  await using world = await SessionWorld.start();
  await using session = await world.session();
  const turn = session.prompt("   ");
  await expect(turn).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await expect(collect(turn)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("a host tool runs in this program, with its input checked by its zod schema", async () => {
  await using world = await SessionWorld.start();
  const inputs: unknown[] = [];
  const add = defineTool({
    name: "add",
    description: "Adds two numbers.",
    input: z.object({ a: z.number(), b: z.number() }),
    crossesBorder: false,
    run: ({ a, b }, { callId, turnId }) => {
      inputs.push({ a, b, callId, hasTurn: turnId !== null });
      if (a < 0) throw new Error("only positive numbers");
      return { sum: a + b };
    },
  });
  await using session = await world.session(
    async ({ call }) => {
      const results = [await call("add", { a: 1, b: 2 }, "call-1"), await call("add", { a: "x" })];
      results.push(await call("add", { a: -1, b: 0 }, "call-3"));
      return JSON.stringify(results.map(({ outcome, content }) => [outcome, content[0]]));
    },
    { tools: [add] },
  );
  const results: unknown = JSON.parse(await session.prompt("go").text());
  expect(results).toMatchObject([
    ["ok", { text: '{"sum":3}' }],
    ["failed", {}],
    ["failed", { text: "only positive numbers" }],
  ]);
  expect(inputs).toMatchObject([{ a: 1, b: 2, callId: "call-1", hasTurn: true }, { a: -1 }]);
});

test("hooks run here: a denial stops the tool, a change reaches it", async () => {
  await using world = await SessionWorld.start();
  const seen: string[] = [];
  await using session = await world.session(
    async ({ call }) => {
      const denied = await call("run_command", { command: "rm -rf /" });
      const changed = await call("run_command", { command: "echo before" });
      return `${denied.outcome} ${JSON.stringify(changed.content)}`;
    },
    {
      hooks: {
        preToolCall: ({ input }) =>
          JSON.stringify(input).includes("rm -rf")
            ? { allow: false, message: "no" }
            : { input: { command: "echo after" } },
        postToolCall: ({ call, result }) => void seen.push(`${call.name} ${result.outcome}`),
      },
    },
  );
  const text = await session.prompt("go").text();
  expect(text).toContain("denied");
  expect(text).toContain("after");
  expect(seen).toStrictEqual(["run_command denied", "run_command ok"]);
});

test("a policy's functions run here, and what they throw denies", async () => {
  await using world = await SessionWorld.start();
  await using session = await world.session(
    async ({ call }) => {
      const results = [
        await call("run_command", { command: "echo 1" }),
        await call("run_command", { command: "echo 2" }),
        await call("run_command", { command: "echo 3" }),
      ];
      return results.map(({ outcome }) => outcome).join(" ");
    },
    {
      policies: confirmRunCommand((call) => {
        const text = JSON.stringify(call.input);
        if (text.includes("3")) throw new Error("broken");
        return text.includes("1") ? true : { allow: false, message: "not that one" };
      }),
    },
  );
  expect(await session.prompt("go").text()).toBe("ok denied denied");
});

test("a permission request is answered by onRequest, or later by respond, once", async () => {
  await using world = await SessionWorld.start();
  const asked: PendingRequest[] = [];
  await using session = await world.session(
    async ({ call }) => (await call("run_command", { command: "true" })).outcome,
    {
      policies: [ask("run_command"), allow("*")],
      onRequest: (request) => {
        asked.push(request);
        return asked.length === 1 ? { kind: "permission", decision: "allow" } : undefined;
      },
    },
  );
  expect(await session.prompt("first").text()).toBe("ok");
  const turn = session.prompt("second");
  for await (const event of turn) {
    if (event.type !== "request") continue;
    expect((await session.info()).state).toBe("waiting");
    const { requestId } = event.request;
    await session.respond(requestId, { kind: "permission", decision: "deny" });
    await expect(
      session.respond(requestId, { kind: "permission", decision: "allow" }),
    ).rejects.toMatchObject({ code: "REQUEST_SETTLED" });
  }
  expect(await turn.text()).toBe("denied");
});

test("a session is listed, found again by another lease, watched and answered there", async () => {
  await using world = await SessionWorld.start();
  const session = await world.session();
  await session.prompt("hi");
  const [listed] = await world.os.sessions.list();
  expect(listed).toMatchObject({ sessionId: session.id, turns: 1, state: "idle" });
  expect(await AgentOs.listSessions({ sidecar: world.sidecar })).toHaveLength(1);
  await using other = await AgentOs.attach(world.os.id, { sidecar: world.sidecar });
  const same = await other.sessions.get(session.id);
  expect(await same.prompt("from there").text()).toBe("from there");
  expect((await same.history()).map(({ text }) => text)).toContain("from there");
  same.detach();
  await expect(other.sessions.get("session-none")).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("a closed session keeps its state, takes no prompt, and goes on when it is resumed", async () => {
  await using world = await SessionWorld.start();
  const session = await world.session();
  await session.prompt("one");
  await session.close();
  await expect(session.prompt("two")).rejects.toMatchObject({ code: "SESSION_CLOSED" });
  const events = await collect(session.events());
  expect(events.at(-1)).toMatchObject({ type: "state", state: "closed" });
  await using again = await world.session(undefined, { resume: session.id });
  expect(again.id).toBe(session.id);
  await again.prompt("two");
  expect((await again.info()).turns).toBe(2);
  await expect(world.session(undefined, { resume: "session-none" })).rejects.toMatchObject({
    code: "RESUME_LOST",
  });
});

test("a session goes on in another VM", async () => {
  await using world = await SessionWorld.start();
  await using session = await world.session();
  await session.prompt("one");
  await using other = await world.otherVm();
  await using forked = await other.sessions.fork(session);
  expect((await forked.info()).turns).toBe(1);
  await forked.prompt("two");
  expect((await session.info()).turns).toBe(1);
});

test("waiting: idle, woken and not", async () => {
  await using world = await SessionWorld.start();
  await using session = await world.session(({ forever, prompt }) =>
    prompt === "wait" ? forever() : Promise.resolve("ok"),
  );
  await session.signalIdle();
  expect(await session.waitForWakeup({ timeoutMs: 1 })).toBe(false);
  await session.send("wait");
  expect(await session.waitForWakeup()).toBe(true);
  await expect(session.waitForIdle({ timeoutMs: 1 })).rejects.toMatchObject({
    code: "DEADLINE_EXCEEDED",
  });
  expect((await session.cancel()).turnId).not.toBeNull();
  await session.waitForIdle();
  expect(await session.cancel()).toStrictEqual({ turnId: null });
});

test.each<[object, string]>([
  [{ runtime: "nonsense" }, "UNKNOWN_RUNTIME"],
  [{ bogus: 1 }, "INVALID_ARGUMENT"],
  [{ budget: { euros: 1 } }, "INVALID_ARGUMENT"],
  [{ outputSchema: { type: "string" } }, "INVALID_ARGUMENT"],
  [{ policies: [ask("run_command")] }, "INVALID_ARGUMENT"],
  [{ policies: [{ tool: "not a tool", decision: "allow" }] }, "INVALID_ARGUMENT"],
  [{ triggers: [{ everyMs: 10, prompt: "x" }] }, "INVALID_ARGUMENT"],
  [{ cwd: "relative" }, "INVALID_ARGUMENT"],
])("a session with %j is refused with %s, and none is left", async (options, code) => {
  await using world = await SessionWorld.start();
  const create: unknown = Reflect.get(world.os, "createSession");
  if (typeof create !== "function") throw new Error("expected a method");
  const opened: unknown = Reflect.apply(create, world.os, [{ runtime: "scripted", ...options }]);
  await expect(opened).rejects.toMatchObject({ code });
  expect(await world.os.sessions.list()).toStrictEqual([]);
});

test("a deleted session is forgotten", async () => {
  await using world = await SessionWorld.start();
  const session = await world.session();
  await session.prompt("hi");
  await session.delete();
  await expect(session.info()).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect(await world.os.sessions.list()).toStrictEqual([]);
});
