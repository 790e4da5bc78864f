import { AgentOsError, type Content } from "@agentos/client";
import { expect, test } from "vitest";

import { SessionWorld } from "./session-world.ts";

function controls(done: unknown[]) {
  return {
    steer: async (content: Content) => void done.push(["steer", content]),
    setModel: async (model: string) => {
      if (model === "m-bad") {
        const details = { model, reason: "unknown model" };
        throw new AgentOsError("MODEL_SWITCH_FAILED", "it does not take it", details);
      }
      done.push(["model", model]);
    },
    compact: async () => void done.push(["compact"]),
  };
}

test("[agent.steer] what is said to a running turn reaches its agent, and is in the transcript", async () => {
  const done: unknown[] = [];
  await using world = await SessionWorld.start({ controls: controls(done) });
  const gate = Promise.withResolvers<undefined>();
  await using session = await world.session(async ({ until }) => {
    await until(gate.promise);
    return "done";
  });
  expect(await session.steer("nobody listens")).toEqual({ turnId: null });
  const turn = session.prompt("begin");
  await turn.accepted;
  await expect.poll(async () => (await session.info()).state).toBe("running");
  expect(await session.steer("more to think about")).toEqual({ turnId: turn.id });
  await expect(session.steer("  ")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  gate.resolve(undefined);
  const told = [];
  for await (const event of turn) if (event.type === "steer") told.push(event.content);
  expect(told).toEqual(["more to think about"]);
  expect(done).toEqual([["steer", "more to think about"]]);
});

test("another model counts for every later agent of the session, one that was refused for none", async () => {
  const done: unknown[] = [];
  await using world = await SessionWorld.start({ controls: controls(done) });
  await using session = await world.session(undefined, { model: "m-1" });
  await session.setModel("m-2");
  await expect(session.setModel("m-bad")).rejects.toMatchObject({ code: "MODEL_SWITCH_FAILED" });
  world.runtime.agent.exit();
  await Promise.resolve(session.prompt("again")).catch(() => undefined);
  await session.prompt("and again");
  expect(done).toEqual([["model", "m-2"]]);
  expect(world.runtime.opened.at(-1)?.spec.model).toBe("m-2");
});

test("[agent.modes] a mode counts for every later agent of the session; one that the agent has not is refused", async () => {
  const done: string[] = [];
  const setMode = async (mode: string): Promise<void> => {
    if (mode === "plan") return void done.push(mode);
    const details = { argument: "mode", expected: "plan", actual: mode };
    throw new AgentOsError("INVALID_ARGUMENT", "it has no such mode", details);
  };
  const modes = { current: "build", available: [{ id: "plan", name: "Plan" }] };
  await using world = await SessionWorld.start({ controls: { setMode, modes } });
  await using session = await world.session(undefined);
  expect(await session.info()).toMatchObject({ mode: "build", modes: modes.available });
  await session.setMode("plan");
  await expect(session.setMode("yolo")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(done).toEqual(["plan"]);
  world.runtime.agent.exit();
  await Promise.resolve(session.prompt("again")).catch(() => undefined);
  await session.prompt("and again");
  expect(world.runtime.opened.at(-1)?.spec.mode).toBe("plan");
});

test("compaction waits for no turn, and the next turn waits for it", async () => {
  const order: unknown[] = [];
  const gate = Promise.withResolvers<undefined>();
  const compact = async (): Promise<void> => {
    await gate.promise;
    order.push("compacted");
  };
  await using world = await SessionWorld.start({ controls: { compact } });
  await using session = await world.session(async ({ prompt }) => {
    order.push(prompt);
    return prompt;
  });
  const compacting = session.compact();
  const turn = session.prompt("next");
  await turn.accepted;
  gate.resolve(undefined);
  await compacting;
  await turn;
  expect(order).toEqual(["compacted", "next"]);
  expect((await session.info()).compactions).toHaveLength(1);
  const hold = Promise.withResolvers<undefined>();
  world.runtime.script = async ({ until }) => {
    await until(hold.promise);
    return "";
  };
  const running = session.prompt("long");
  await expect.poll(async () => (await session.info()).state).toBe("running");
  await expect(session.compact()).rejects.toMatchObject({ code: "SESSION_BUSY" });
  hold.resolve(undefined);
  await running;
});

test("[agent.controls-refused] what a runtime can't do is refused, and the session goes on", async () => {
  await using world = await SessionWorld.start();
  const gate = Promise.withResolvers<undefined>();
  await using session = await world.session(async ({ until }) => {
    await until(gate.promise);
    return "done";
  });
  const unsupported = { code: "UNSUPPORTED" };
  await expect(session.setModel("m-2")).rejects.toMatchObject(unsupported);
  await expect(session.setMode("plan")).rejects.toMatchObject(unsupported);
  await expect(session.compact()).rejects.toMatchObject(unsupported);
  const turn = session.prompt("begin");
  await expect.poll(async () => (await session.info()).state).toBe("running");
  await expect(session.steer("more")).rejects.toMatchObject(unsupported);
  gate.resolve(undefined);
  expect((await turn).text).toBe("done");
  await session.close();
  await expect(session.compact()).rejects.toMatchObject({ code: "SESSION_CLOSED" });
});
