import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgentOs, Relay } from "@agentos/client";
import type { ScriptedTurn } from "@agentos/testing";
import { describe, expect, test, vi } from "vitest";

import { SessionWorld } from "../sessions/session-world.ts";

const agent = { runtime: "scripted", idleMs: 0 } as const;

/** Stays in its turn where a message asks for it; says what it heard otherwise. */
async function play({ content, forever, say }: ScriptedTurn): Promise<string> {
  const text = JSON.stringify(content);
  if (text.includes("stay")) return await forever();
  const [, word = "nothing"] = /echo (\w+)/.exec(text) ?? [];
  say(`heard ${word}\n`);
  return word;
}

describe("a message that is waited for", () => {
  test("[relay.case-21] is told once it was taken; time that is over stays so, whatever comes later", async () => {
    await using world = await SessionWorld.start({ script: play });
    const { relay } = world.os;
    await relay.spawn("Ann", agent);
    const taken = await relay.sendAndWait("Ann", "echo one");
    await expect(taken.until("answered")).resolves.toMatchObject([{ state: "answered" }]);
    const first = await relay.send("Ann", "stay");
    await first.until("consumed");
    const late = relay.sendAndWait("Ann", "echo two", { id: "late", timeoutMs: 50 });
    await expect(late).rejects.toMatchObject({
      code: "DEADLINE_EXCEEDED",
      details: { deadlineMs: 50 },
    });
    await expect(relay.message("late")).resolves.toMatchObject({
      deliveries: [{ state: "queued" }],
    });
    const { sessionId } = await relay.agent("Ann");
    await (await world.os.sessions.get(sessionId)).cancel();
    await vi.waitUntil(
      async () => (await relay.message("late")).deliveries[0]?.state === "answered",
    );
    await expect(late).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    const failed = relay.sendAndWait("Ann", "stay", { until: "answered" });
    await vi.waitUntil(async () => (await relay.agent("Ann")).activity === "working");
    await relay.release("Ann");
    await expect(failed).rejects.toMatchObject({ code: "NOT_DELIVERED" });
  });

  test("[relay.case-22] goes through its states by its id, at each recipient, and stays at its end", async () => {
    await using world = await SessionWorld.start({ script: play });
    const { relay } = world.os;
    await relay.spawn("Ann", { ...agent, channels: ["c"] });
    await relay.spawn("Bob", { ...agent, channels: ["c"] });
    const busy = await relay.send("Bob", "stay");
    await busy.until("consumed");
    const sent = await relay.send("#c", "echo both");
    const told = new Map<string, string[]>();
    for await (const event of relay.events({ messageId: sent.id, types: ["delivery"] })) {
      if (event.type !== "delivery") continue;
      told.set(event.agent, [...(told.get(event.agent) ?? []), event.state]);
      if (event.state === "answered") break;
    }
    expect(told.get("Ann")).toEqual(["queued", "handed_over", "consumed", "answered"]);
    expect(told.get("Bob")).toEqual(["queued"]);
    await relay.release("Bob");
    const at = async () => (await sent.deliveries()).map(({ state }) => state);
    await expect(at()).resolves.toEqual(["answered", "dead_lettered"]);
    // Read, answered and released afterwards: an end is an end.
    await relay.send("human:orchestrator", "done", { from: "Ann", replyTo: sent.id });
    await relay.release("Ann");
    await expect(at()).resolves.toEqual(["answered", "dead_lettered"]);
  });
});

describe("an agent that is waited for", () => {
  test("[relay.case-25] is idle, has exited, was released, or time is over", async () => {
    await using world = await SessionWorld.start({ script: play });
    const { relay } = world.os;
    await expect(relay.waitForIdle("nobody")).resolves.toBe("exited");
    await expect(relay.waitForExit("nobody", { timeoutMs: 0 })).resolves.toBe("exited");
    await relay.spawn("Ann", { ...agent, idleMs: 100 });
    await expect(relay.waitForIdle("Ann")).resolves.toBe("idle");
    await expect(relay.waitForIdle("ann", { timeoutMs: 0 })).resolves.toBe("idle");
    await expect(relay.waitForExit("Ann", { timeoutMs: 0 })).resolves.toBe("timeout");
    await expect(relay.waitForExit("Ann", { timeoutMs: 30 })).resolves.toBe("timeout");
    const busy = await relay.send("Ann", "stay");
    await busy.until("consumed");
    await expect(relay.waitForIdle("Ann", { timeoutMs: 0 })).resolves.toBe("timeout");
    await expect(relay.waitForIdle("Ann", { timeoutMs: 200 })).resolves.toBe("timeout");
    const [idle, exit] = [relay.waitForIdle("Ann"), relay.waitForExit("Ann")];
    world.runtime.agent.exit(3);
    await expect(idle).resolves.toBe("exited");
    await expect(exit).resolves.toBe("exited");
    await relay.spawn("Bob", agent);
    const released = relay.waitForExit("Bob");
    await relay.release("Bob");
    await expect(released).resolves.toBe("released");
    await expect(relay.waitForExit("Bob")).resolves.toBe("released");
    const never = new AbortController();
    await relay.spawn("Cem", agent);
    const waiting = relay.waitForIdle("Cem", { signal: never.signal });
    never.abort();
    await expect(waiting).rejects.toMatchObject({ code: "CANCELLED" });
  });
});

describe("the log of a relay", () => {
  test("[relay.case-33] tells the last events that match by agent, kind and number", async () => {
    await using world = await SessionWorld.start({ script: play });
    const { relay } = world.os;
    for (const name of ["Ann", "Bob", "Cem"]) await relay.spawn(name, agent);
    const events = async (query: Parameters<typeof relay.lastEvents>[0]) =>
      (await relay.lastEvents(query)).map((event) => ("agent" in event ? event.agent : event.type));
    await expect(events({ types: ["agent_ready"], limit: 2 })).resolves.toEqual(["Bob", "Cem"]);
    await expect(events({ agent: "BOB", types: ["agent_ready"] })).resolves.toEqual(["Bob"]);
    await expect(events({ agent: "nobody" })).resolves.toEqual([]);
    const [last] = await relay.lastEvents({ limit: 1 });
    expect(last).toMatchObject({ type: "channel_joined", agent: "Cem" });
  });
});

function fail(): never {
  throw new Error("of the hook's own");
}

describe("hooks", () => {
  test("[relay.case-34] of a spawn and a release are called in order, waited for, and change nothing where they throw", async () => {
    await using world = await SessionWorld.start({ script: play });
    const { relay } = world.os;
    const seen: string[] = [];
    const gate = Promise.withResolvers<undefined>();
    const hooks = {
      onStart: async ({ operation, agent: name }: { operation: string; agent: string }) => {
        await gate.promise;
        seen.push(`${operation} ${name} start, ${(await relay.agents()).length} alive`);
      },
      onSuccess: async ({ operation }: { operation: string }) => {
        await Promise.resolve();
        seen.push(`${operation} success, ${(await relay.agents()).length} alive`);
      },
      onError: ({ error }: { error: unknown }) => void seen.push(`error ${String(error)}`),
    };
    const spawning = relay.spawn("Ann", { ...agent, hooks });
    await expect(relay.agents()).resolves.toEqual([]);
    gate.resolve(undefined);
    await spawning;
    await relay.release("Ann", { hooks });
    expect(seen).toEqual([
      "spawn Ann start, 0 alive",
      "spawn success, 1 alive",
      "release Ann start, 1 alive",
      "release success, 0 alive",
    ]);
    await expect(relay.release("Ann", { hooks })).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(seen.at(-1)).toMatch(/^error .*no agent "Ann"/);
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
    await expect(relay.spawn("Bob", { ...agent, hooks: { onStart: fail } })).resolves.toMatchObject(
      {
        name: "Bob",
      },
    );
    expect(warned.mock.calls.map(([text]) => String(text))).toEqual([
      "onStart of spawn Bob failed: of the hook's own",
    ]);
    warned.mockRestore();
  });

  test("[relay.case-34] without a sidecar none is called", async () => {
    const directory = await mkdtemp(join(tmpdir(), "cr-"));
    const sidecar = await AgentOs.getSharedSidecar({
      pool: "none",
      runtimeDirectory: join(directory, "r"),
      stateDirectory: join(directory, "s"),
      sidecarPath: join(directory, "no-such-sidecar.js"),
    });
    const seen: string[] = [];
    const hooks = {
      onStart: () => seen.push("start"),
      onSuccess: () => seen.push("success"),
      onError: () => seen.push("error"),
    };
    await expect(Relay.connect({ sidecar }).release("Ann", { hooks })).rejects.toMatchObject({
      code: "SIDECAR_NOT_FOUND",
    });
    expect(seen).toEqual([]);
    await rm(directory, { recursive: true, force: true });
  });
});

describe("what an agent puts out", () => {
  test("[relay.case-35] reaches its own listener, as it comes, until that is ended", async () => {
    await using world = await SessionWorld.start({ script: play });
    const { relay } = world.os;
    await relay.spawn("Ann", agent);
    await relay.spawn("Bob", agent);
    await relay.sendAndWait("Ann", "echo before", { until: "answered" });
    const heard: string[] = [];
    const idle: string[] = [];
    const stop = relay.onOutput("Ann", ({ text }) => void heard.push(text.trim()));
    const stopEvents = relay.on("message", ({ to }) => void idle.push(to));
    await vi.waitUntil(async () => {
      await relay.sendAndWait("Bob", "echo bob", { until: "answered" });
      await relay.sendAndWait("Ann", "echo ann", { until: "answered" });
      return heard.length > 0 && idle.length > 1;
    });
    expect(new Set(heard)).toEqual(new Set(["heard ann"]));
    expect(new Set(idle)).toEqual(new Set(["Ann", "Bob"]));
    stop();
    stopEvents();
    const [count, events] = [heard.length, idle.length];
    await relay.sendAndWait("Ann", "echo later", { until: "answered" });
    const after = relay.onOutput("Ann", () => undefined);
    after();
    expect([heard.length, idle.length]).toEqual([count, events]);
  });

  test("[relay.case-36] is told from its beginning, then as it grows, to the agent's end; a path is no agent", async () => {
    await using world = await SessionWorld.start({ script: play });
    const { relay } = world.os;
    await relay.spawn("Ann", agent);
    await relay.sendAndWait("Ann", "echo one", { until: "answered" });
    await relay.sendAndWait("Ann", "echo two", { until: "answered" });
    const past: string[] = [];
    for await (const { text } of relay.logs("ann")) past.push(text);
    expect(past).toEqual(["heard one\n", "heard two\n"]);
    const told: string[] = [];
    for await (const { text } of relay.logs("Ann", { follow: true })) {
      told.push(text);
      if (told.length === 2) await relay.send("Ann", "echo three");
      if (told.length === 3) await relay.release("Ann");
    }
    expect(told).toEqual([...past, "heard three\n"]);
    for (const name of ["../../etc/passwd", "/etc/passwd", "Ann/../Ann", "..", "a\\b"])
      await expect(async () => {
        for await (const entry of relay.logs(name)) told.push(entry.text);
      }).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(told).toHaveLength(3);
  });
});
