import { AgentOsError } from "@agentos/protocol";
import { ScriptedRuntime } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { TestSidecar } from "../sidecar-harness.ts";
import { SessionClient } from "./session-client.ts";
import { SessionWorld, type Spec } from "./session-world.ts";

function lost(): AgentOsError {
  const details = { sessionId: "native", reason: "expired" };
  return new AgentOsError("RESUME_LOST", "the agent has no such session", details);
}

/** A session whose agent had one, closed; then resumed with what is given. */
async function resumed(at: SessionWorld, resume: Spec["resume"]): Promise<SessionClient> {
  await at.session.prompt("first");
  await at.client.peer.request("session.close", at.session.ref);
  const { sessionId } = at.session;
  const spec = resume === undefined ? {} : { resume };
  return await SessionClient.createIn(at.client, at.session.scope, { sessionId, ...spec });
}

const forgetful = {
  onOpen: async ({ agentSessionId }: { agentSessionId: string | undefined }) => {
    if (agentSessionId !== undefined) throw lost();
  },
};

describe("resume", () => {
  test("[session.sem-8] an unknown session is RESUME_LOST, unless one may be made", async () => {
    await using at = await SessionWorld.start();
    const open = (resume: Spec["resume"]) =>
      SessionClient.createIn(at.client, at.session.scope, resume === undefined ? {} : { resume });
    await expect(open({ mode: "resume" })).rejects.toMatchObject({ code: "RESUME_LOST" });
    const made = await open({ mode: "create_or_resume" });
    await expect(made.prompt("hi")).resolves.toMatchObject({ text: "hi" });
    const fresh = await open({ mode: "resume", freshPrompt: "all of it" });
    await expect(fresh.prompt("go on")).resolves.toMatchObject({ text: "all of it" });
    await expect(fresh.prompt("and on")).resolves.toMatchObject({ text: "and on" });
  });

  test("[session.case-63] [session.case-80] a lost agent session is begun anew once, with the whole prompt", async () => {
    await using at = await SessionWorld.start(
      async ({ prompt, host }) => {
        host.recordSession("native");
        return prompt;
      },
      { runtime: forgetful },
    );
    const session = await resumed(at, { mode: "resume", freshPrompt: "all of it" });
    await expect(session.prompt("go on")).resolves.toMatchObject({ text: "all of it" });
    expect(at.runtime.opened.map(({ agentSessionId }) => agentSessionId)).toEqual([
      undefined,
      "native",
      undefined,
    ]);
    at.runtime.agent.exit();
    await at.client.peer.request("ping", {});
    await expect(session.prompt("again")).resolves.toMatchObject({
      stopReason: "error",
      error: { code: "RESUME_LOST" },
    });
    expect(at.runtime.opened).toHaveLength(4);
  });

  test("one that may not begin anew stays closed, and can be tried again", async () => {
    await using at = await SessionWorld.start(
      async ({ prompt, host }) => {
        host.recordSession("native");
        return prompt;
      },
      { runtime: forgetful },
    );
    await expect(resumed(at, { mode: "resume" })).rejects.toMatchObject({ code: "RESUME_LOST" });
    const { sessions } = await at.client.peer.request("session.list", {});
    expect(sessions).toMatchObject([{ state: "closed", turns: 1 }]);
    const { sessionId } = at.session;
    const again = await SessionClient.createIn(at.client, at.session.scope, {
      sessionId,
      resume: { mode: "create_or_resume" },
    });
    await expect(again.prompt("go on")).resolves.toMatchObject({ text: "go on" });
  });

  test("[session.case-64] a fresh prompt that says nothing is refused before anything starts", async () => {
    await using at = await SessionWorld.start();
    const opened = at.runtime.opened.length;
    await expect(
      SessionClient.createIn(at.client, at.session.scope, {
        resume: { mode: "create_or_resume", freshPrompt: " " },
      }),
    ).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(at.runtime.opened).toHaveLength(opened);
  });

  test("[session.case-65] the agent's session is stored at its first sign, whatever happens to the turn", async () => {
    await using at = await SessionWorld.start(async ({ host }) => {
      host.recordSession("native");
      throw new Error("gone");
    });
    await at.session.prompt("go");
    await expect(at.session.info()).resolves.toMatchObject({ agentSessionId: "native" });
    await expect(at.session.find(({ type }) => type === "session_id")).resolves.toMatchObject({
      agentSessionId: "native",
    });
  });

  test("[session.case-70] no second agent starts before the first is gone", async () => {
    const lives: string[] = [];
    const ends: (() => void)[] = [];
    await using at = await SessionWorld.start(
      async ({ prompt }) =>
        prompt === "deaf" ? await new Promise<string>(() => undefined) : prompt,
      {
        runtime: {
          onOpen: async () => void lives.push("open"),
          onDispose: () => {
            const { promise, resolve } = Promise.withResolvers<void>();
            ends.push(() => {
              lives.push("end");
              resolve();
            });
            return promise;
          },
        },
      },
    );
    await at.session.send("deaf");
    await expect.poll(() => at.runtime.prompts.length).toBe(1);
    const cancelled = at.client.peer.request("session.cancel", at.session.ref);
    await at.client.peer.request("ping", {});
    at.world.clock.advance(2_000);
    await cancelled;
    const next = at.session.prompt("next");
    await at.client.peer.request("ping", {});
    expect(lives).toEqual(["open"]);
    ends.shift()?.();
    await expect(next).resolves.toMatchObject({ text: "next" });
    expect(lives).toEqual(["open", "end", "open"]);
    const closed = at.client.peer.request("session.close", at.session.ref);
    await expect.poll(() => ends.length).toBe(1);
    ends.shift()?.();
    await closed;
  });

  test("[session.case-73] [session.case-74] [session.case-75] the runtime gets the specification as it was given, and its result is told as it came", async () => {
    const spec = {
      model: "m",
      systemPrompt: { append: "be brief" },
      initialHistory: [{ role: "user" as const, content: "before" }],
      timeouts: { inactivityMs: 300_000 },
      thinking: "low" as const,
      outputSchema: { type: "object" },
    };
    await using at = await SessionWorld.start(
      async ({ prompt }) => (prompt === "bare" ? "" : { text: "t", output: { a: 1 } }),
      { spec },
    );
    expect(at.runtime.opened[0]).toMatchObject({
      spec,
      cwd: "/workspace",
      initialHistory: spec.initialHistory,
      sessionId: at.session.sessionId,
    });
    await expect(at.session.prompt("go")).resolves.toMatchObject({ text: "t", output: { a: 1 } });
    await expect(at.session.prompt("bare")).resolves.toMatchObject({
      stopReason: "end_turn",
      output: null,
      usage: null,
    });
  });

  test("[session.resume-stored] a resumed session is as it was stored, but for what is given now; its key stays with its provider", async () => {
    const provider = { name: "anthropic", apiKey: "canary-key", baseUrl: "http://127.0.0.1:1/v1" };
    const spec = {
      provider,
      model: "m-1",
      cwd: "/workspace/app",
      systemPrompt: { append: "be brief" },
      policy: { rules: [], otherwise: "deny" as const },
      budget: { turns: 9 },
    };
    await using at = await SessionWorld.start(undefined, { spec });
    const { sessionId, scope } = at.session;
    const reopen = async (session: object) => {
      await at.client.peer.request("session.close", at.session.ref);
      await at.client.peer.request("session.create", {
        ...scope,
        session: { sessionId, resume: { mode: "resume" }, ...session },
      });
      return at.runtime.opened.at(-1)?.spec;
    };
    expect(await reopen({})).toMatchObject({ ...spec, runtime: "scripted" });
    expect(await reopen({ model: "m-2", budget: { turns: 10 } })).toMatchObject({
      ...spec,
      model: "m-2",
      budget: { turns: 10 },
    });
    expect((await reopen({ provider: { name: "anthropic" } }))?.provider).toEqual(provider);
    const elsewhere = { name: "anthropic", baseUrl: "http://127.0.0.1:2/v1" };
    expect((await reopen({ provider: elsewhere }))?.provider).toEqual(elsewhere);
    const other = await reopen({ provider: { name: "gemini" } });
    expect(other?.provider).toEqual({ name: "gemini" });
    expect(other).not.toHaveProperty("model");
    await expect(reopen({ runtime: "api" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      details: { argument: "session.runtime", expected: "scripted", actual: "api" },
    });
  });

  test("a new session without a runtime is refused, and says so", async () => {
    await using at = await SessionWorld.start();
    for (const resume of [undefined, { mode: "create_or_resume" }] as const) {
      const session = { sessionId: at.client.id("session"), ...(resume && { resume }) };
      // oxlint-disable-next-line no-await-in-loop -- One after the other.
      await expect(
        at.client.peer.request("session.create", { ...at.session.scope, session }),
      ).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        details: { argument: "session.runtime" },
      });
    }
  });

  test("[session.default-model] a session that names no model shows which one it has, and keeps it", async () => {
    let newest = "m-1";
    await using at = await SessionWorld.start(undefined, {
      runtime: { defaultModel: () => newest },
    });
    await expect(at.session.info()).resolves.toMatchObject({ model: "m-1" });
    const { sessions } = await at.client.peer.request("session.list", {});
    expect(sessions).toMatchObject([{ model: "m-1", provider: null }]);
    newest = "m-2";
    await at.client.peer.request("session.close", at.session.ref);
    const { sessionId } = at.session;
    const resume = { mode: "resume" as const };
    await SessionClient.createIn(at.client, at.session.scope, { sessionId, resume });
    expect(at.runtime.opened.at(-1)?.spec.model).toBe("m-1");
  });

  test("a fork goes on from the state, in another VM, and neither sees the other's turns", async () => {
    await using at = await SessionWorld.start(async ({ prompt, host }) => {
      host.state.append([prompt]);
      return JSON.stringify(host.state.load());
    });
    await at.session.prompt("one");
    const { lease } = await at.client.create();
    const { vmId, fence } = lease;
    const into = { vmId, fence, sessionId: "fork" };
    const info = await at.client.peer.request("session.fork", { ...at.session.ref, into });
    expect(info).toMatchObject({ parent: at.session.sessionId, turns: 1, vmId });
    const fork = new SessionClient(at.client, lease, "fork");
    await expect(fork.prompt("two")).resolves.toMatchObject({ text: '["one","two"]' });
    await expect(at.session.prompt("three")).resolves.toMatchObject({ text: '["one","three"]' });
    const { events } = await fork.events();
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    await expect(
      at.client.peer.request("session.fork", { ...at.session.ref, into }),
    ).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
  });

  test("a runtime that can't fork is refused", async () => {
    const runtime = new ScriptedRuntime({ capabilities: { fork: false } });
    await using world = await TestSidecar.start({ runtimes: [runtime] });
    await using client = await world.connect();
    const session = await SessionClient.create(client);
    const { lease } = await client.create();
    const into = { vmId: lease.vmId, fence: lease.fence, sessionId: "fork" };
    await expect(
      client.peer.request("session.fork", { ...session.ref, into }),
    ).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});
