import { AgentOsError, type JsonObject, type SessionSpec } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import { AcpRuntime } from "../../src/acp/acp-runtime.ts";
import { ANY_ACP_AGENT } from "../../src/acp/any-acp-agent.ts";
import { ProgramAgent } from "../agent-fixture.ts";
import { TestHost, type TestHostOptions } from "../test-host.ts";
import { AcpError, acpStandIn, type AcpStandInOptions } from "./acp-stand-in.ts";

interface OpenOptions extends AcpStandInOptions {
  readonly host?: TestHostOptions;
  readonly spec?: Partial<SessionSpec>;
  readonly agentSessionId?: string;
}

async function open({ host: more, spec, agentSessionId, ...standIn }: OpenOptions) {
  const { program, heard } = acpStandIn(standIn);
  const host = await TestHost.start({
    programs: { agent: program },
    authorize: async ({ input }) => ({ allow: true, input }),
    ...more,
  });
  const agent = await ProgramAgent.open({
    runtime: new AcpRuntime(ANY_ACP_AGENT),
    host,
    spec: { command: "agent", ...spec },
    agentSessionId,
  });
  const calls = (method: string) => heard.filter((message) => message["method"] === method);
  return { host, agent, heard, calls };
}

function text(words: string): JsonObject {
  return { sessionUpdate: "agent_message_chunk", content: { type: "text", text: words } };
}

function unknownSession(): never {
  throw new AcpError(-32_603, "Internal error", { details: "no such session" });
}

/** The dangerous order: who takes the first option allows for ever. */
const OPTIONS = [
  { optionId: "x1", kind: "allow_always", name: "Always" },
  { optionId: "x2", kind: "reject_always", name: "Never" },
  { optionId: "x3", kind: "allow_once", name: "Once" },
  { optionId: "x4", kind: "reject_once", name: "No" },
];
const CALL = {
  toolCallId: "call-1",
  title: "rm notes",
  kind: "execute",
  status: "pending",
  rawInput: { command: "rm notes" },
  locations: [{ path: "/workspace/notes" }],
};

describe("the runtime acp", () => {
  test("[acp.turn] tells text, thoughts and plans, and the reply is what came last", async () => {
    const { agent, host, calls } = await open({
      turn: async ({ update, said }) => {
        await update({
          ...text(""),
          sessionUpdate: "agent_thought_chunk",
          content: { type: "text", text: "hm" },
        });
        await update(text("I will look. "));
        await update({
          sessionUpdate: "plan",
          entries: [{ content: "look", priority: "high", status: "in_progress" }],
        });
        await update({ sessionUpdate: "tool_call", ...CALL, kind: "read", title: "look" });
        await update({
          sessionUpdate: "tool_call_update",
          toolCallId: "call-1",
          status: "completed",
          content: [{ type: "content", content: { type: "text", text: "notes" } }],
        });
        await update(text("You said "));
        await update(text(said));
        await update({ sessionUpdate: "something_new", what: { ever: 1 } });
        return { stopReason: "end_turn" };
      },
    });
    expect(host.sessionIds).toEqual([]);
    expect(await agent.prompt("hello\u2028there")).toEqual({
      stopReason: "end_turn",
      text: "You said hello\u2028there",
    });
    expect(host.told("text")).toBe("I will look. You said hello\u2028there");
    expect(host.told("thought")).toBe("hm");
    expect(host.of("plan")).toEqual([
      { type: "plan", entries: [{ text: "look", status: "in_progress" }] },
    ]);
    expect(host.calls).toMatchObject([{ callId: "call-1", name: "read" }]);
    expect(host.results).toMatchObject([
      { callId: "call-1", outcome: "ok", content: [{ type: "text", text: "notes" }] },
    ]);
    expect(host.sessionIds).toEqual(["agent-session-1"]);
    expect(calls("initialize")).toMatchObject([{ params: { protocolVersion: 1 } }]);
    expect(JSON.stringify(host.of("raw"))).toContain("something_new");
  });

  test("[acp.permission] an answer is chosen by its kind, never by its place", async () => {
    const outcomes: JsonObject[] = [];
    const turn: AcpStandInOptions["turn"] = async ({ ask, update }) => {
      await update({ sessionUpdate: "tool_call", ...CALL });
      // Some tell that it is in progress, and ask then.
      await update({
        sessionUpdate: "tool_call_update",
        toolCallId: "call-1",
        status: "in_progress",
      });
      outcomes.push(await ask(CALL, OPTIONS));
      await update({
        sessionUpdate: "tool_call_update",
        toolCallId: "call-1",
        status: "completed",
        rawOutput: { done: true },
      });
      return { stopReason: "end_turn" };
    };
    const allowed = await open({ turn });
    await allowed.agent.prompt("go");
    expect(allowed.host.calls).toEqual([
      {
        callId: "call-1",
        name: "execute",
        input: { command: "rm notes" },
        path: "/workspace/notes",
      },
    ]);
    expect(allowed.host.results).toMatchObject([
      { outcome: "ok", content: [{ text: '{"done":true}' }] },
    ]);
    const denied = await open({
      turn,
      host: { authorize: async ({ input }) => ({ allow: false, message: "not today", input }) },
    });
    await denied.agent.prompt("go");
    expect(denied.host.results).toMatchObject([
      { outcome: "denied", content: [{ text: "not today" }] },
    ]);
    expect(outcomes).toEqual([
      { outcome: "selected", optionId: "x3" },
      { outcome: "selected", optionId: "x4" },
    ]);
  });

  test("[acp.permission-none] without a way to allow it once, it is not allowed", async () => {
    const outcomes: JsonObject[] = [];
    const { agent, host } = await open({
      turn: async ({ ask }) => {
        outcomes.push(await ask(CALL, OPTIONS.slice(0, 2)));
        return { stopReason: "end_turn" };
      },
    });
    await agent.prompt("go");
    expect(outcomes).toEqual([{ outcome: "cancelled" }]);
    expect(host.results).toMatchObject([{ outcome: "denied" }]);
  });

  test("[acp.unasked] a tool that ran without asking, and may not, ends the turn", async () => {
    const { agent, host } = await open({
      host: { authorize: async ({ input }) => ({ allow: false, message: "no reading", input }) },
      turn: async ({ update, cancelled }) => {
        await update({ sessionUpdate: "tool_call", ...CALL, kind: "read", status: "completed" });
        await cancelled;
        return { stopReason: "cancelled" };
      },
    });
    expect(await agent.prompt("go")).toEqual({ stopReason: "denied", text: "read: no reading" });
    expect(host.calls).toHaveLength(1);
  });

  test("[acp.own-tool] a tool of the session is asked about at its door, not twice", async () => {
    const outcomes: JsonObject[] = [];
    const { agent, host, calls } = await open({
      host: { tools: { weather: () => "sunny" } },
      turn: async ({ ask, update }) => {
        const call = { ...CALL, title: "agentos_weather", kind: "other" };
        outcomes.push(await ask(call, OPTIONS));
        await update({
          sessionUpdate: "tool_call_update",
          toolCallId: "call-1",
          status: "completed",
        });
        return { stopReason: "end_turn" };
      },
    });
    await agent.prompt("go");
    expect(outcomes).toEqual([{ outcome: "selected", optionId: "x3" }]);
    expect(host.calls).toEqual([]);
    expect(calls("session/new")).toMatchObject([
      {
        params: {
          mcpServers: [
            {
              name: "agentos",
              command: "agentos-tool",
              args: ["mcp"],
              env: [{ name: "AGENTOS_TEST_DOOR", value: "open" }],
            },
          ],
        },
      },
    ]);
  });

  test("[acp.cancel] a cancelled turn is cancelled, whatever the agent calls it, and the next one works", async () => {
    const { agent, host, calls } = await open({
      turn: async ({ update, said, cancelled }) => {
        await update(text("so far "));
        if (said !== "slow") return { stopReason: "end_turn" };
        await cancelled;
        return { stopReason: "max_turn_requests" };
      },
    });
    const controller = new AbortController();
    const turn = agent.prompt("slow", { signal: controller.signal });
    await expect.poll(() => host.told("text")).toBe("so far ");
    controller.abort();
    expect(await turn).toEqual({ stopReason: "cancelled", text: "so far" });
    expect(calls("session/cancel")).toHaveLength(1);
    expect(await agent.prompt("next")).toMatchObject({ stopReason: "end_turn", text: "so far" });
  });

  test("[acp.stop] stop reasons, and errors by what they say", async () => {
    const ends: (() => JsonObject)[] = [
      () => ({ stopReason: "max_tokens" }),
      () => ({ stopReason: "max_turn_requests" }),
      () => ({ stopReason: "refusal" }),
      () => {
        throw new AcpError(-32_603, "Internal error", { errorKind: "rate_limit" });
      },
      () => {
        throw new AcpError(401, "bad key");
      },
      () => {
        throw new AcpError(-32_603, "broken", { http_status_code: 500 });
      },
    ];
    const { agent } = await open({ turn: async () => ends.shift()?.() ?? {} });
    expect(await agent.prompt("go")).toMatchObject({ stopReason: "max_tokens" });
    expect(await agent.prompt("go")).toMatchObject({ stopReason: "max_turns" });
    expect(await agent.prompt("go")).toMatchObject({ stopReason: "refusal" });
    expect(await agent.prompt("go")).toMatchObject({
      stopReason: "rate_limit",
      error: { code: "RATE_LIMITED" },
    });
    expect(await agent.prompt("go")).toMatchObject({
      stopReason: "error",
      error: { code: "PROVIDER_REFUSED", details: { status: 401 } },
    });
    expect(await agent.prompt("go")).toMatchObject({
      error: { code: "PROVIDER_FAILED", details: { status: 500, reason: "broken" } },
    });
  });

  test("[acp.gateway] what the gateway saw comes before what the agent says", async () => {
    const failure = new AgentOsError("RATE_LIMITED", "used up", {
      provider: "anthropic",
      resetAt: "2030-01-01T00:00:00.000Z",
    });
    const { agent, host } = await open({
      host: { api: "anthropic" },
      spec: { provider: { name: "anthropic" } },
      turn: async ({ update, said }) => {
        host.failure = said === "well" ? undefined : failure;
        await update(text("Retrying ..."));
        return {
          stopReason: "end_turn",
          usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3 },
        };
      },
    });
    expect(await agent.prompt("go")).toMatchObject({ stopReason: "rate_limit", error: failure });
    expect(await agent.prompt("well")).toMatchObject({ stopReason: "end_turn" });
    expect(host.used).toEqual([]);
  });

  test("[acp.resume] goes on with its session, tells nothing of it again, or says that it is lost", async () => {
    const loaded = await open({
      agentSessionId: "agent-session-7",
      turn: async ({ sessionId, update }) => {
        await update(text(sessionId));
        return { stopReason: "end_turn" };
      },
    });
    expect(loaded.calls("session/load")).toMatchObject([
      { params: { sessionId: "agent-session-7", cwd: "/workspace" } },
    ]);
    expect(await loaded.agent.prompt("go")).toMatchObject({ text: "agent-session-7" });
    const resumed = await open({
      agentSessionId: "agent-session-7",
      initialize: { agentCapabilities: { loadSession: true, sessionCapabilities: { resume: {} } } },
      answers: { "session/resume": () => ({}) },
    });
    expect(resumed.calls("session/resume")).toHaveLength(1);
    await expect(
      open({ agentSessionId: "other", answers: { "session/load": unknownSession } }),
    ).rejects.toMatchObject({
      code: "RESUME_LOST",
      details: { reason: "Internal error: no such session" },
    });
    await expect(
      open({ agentSessionId: "other", initialize: { agentCapabilities: {} } }),
    ).rejects.toMatchObject({ code: "RESUME_LOST" });
  });

  test("[acp.model] the model is set by what the agent offers, or said to be refused", async () => {
    const option = { id: "the-model", category: "model", type: "select", currentValue: "a" };
    const { agent, calls } = await open({
      spec: { model: "b" },
      answers: {
        "session/new": () => ({ sessionId: "agent-session-1", configOptions: [option] }),
        "session/set_config_option": ({ value }) => {
          if (value === "none") throw new AcpError(-32_602, "no such model");
          return { configOptions: [option] };
        },
      },
    });
    expect(calls("session/set_config_option")).toMatchObject([
      { params: { configId: "the-model", value: "b" } },
    ]);
    await agent.session.setModel?.("c");
    await expect(agent.session.setModel?.("none")).rejects.toMatchObject({
      code: "MODEL_SWITCH_FAILED",
      details: { model: "none", reason: "no such model" },
    });
    await expect(open({ spec: { model: "b" } })).rejects.toMatchObject({
      code: "MODEL_SWITCH_FAILED",
    });
  });

  test("[acp.system] the system's words come once, before the first prompt", async () => {
    const { agent, host } = await open({
      spec: { systemPrompt: { append: "Be brief." } },
      turn: async ({ update, said }) => {
        await update(text(said));
        return { stopReason: "end_turn" };
      },
    });
    expect(await agent.prompt("one")).toMatchObject({ text: "Be brief.|one" });
    expect(await agent.prompt("two")).toMatchObject({ text: "two" });
    expect(await agent.prompt("go on", { from: "hook" })).toMatchObject({
      text: "[from the system, not from the user]|go on",
    });
    expect(host.events.length).toBeGreaterThan(0);
    await expect(open({ spec: { systemPrompt: "You are another." } })).rejects.toMatchObject({
      code: "UNSUPPORTED",
    });
  });

  test("[acp.bad-input] what is no message is kept, and the session goes on; another version is refused", async () => {
    const { agent, host } = await open({
      turn: async ({ update, write }) => {
        await write('warning: something\n{"half\n[1,2]\n{"jsonrpc":"2.0","id":99,"result":1}\n');
        await write('{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":5}}\n');
        await write('{"jsonrpc":"2.0","id":98,"method":"fs/read_text_file","params":{}}\n');
        await update({ sessionUpdate: "tool_call", toolCallId: 7 });
        await update(text("still here"));
        return { stopReason: "end_turn" };
      },
    });
    expect(await agent.prompt("go")).toMatchObject({ stopReason: "end_turn", text: "still here" });
    expect(host.of("raw").map(({ value }) => value)).toContain("warning: something");
    await expect(open({ initialize: { protocolVersion: 2 } })).rejects.toMatchObject({
      code: "PROTOCOL_ERROR",
      message: "acp: expected version 1 of ACP, got 2",
    });
  });

  test("[acp.exit] an agent that goes in the middle is an exit, and aborted before it had a session", async () => {
    const { agent, host } = await open({
      turn: async ({ update, said, cancelled }) => {
        if (said === "late") await update(text("begun"));
        await cancelled;
        return {};
      },
    });
    const early = agent.prompt("early");
    await expect.poll(() => host.fakeVm.running.length).toBe(1);
    for (const process of host.fakeVm.running) process.signal("SIGKILL", "process");
    expect(await early).toMatchObject({
      stopReason: "error",
      error: { code: "AGENT_EXITED", details: { signal: "SIGKILL" } },
      aborted: true,
    });
    expect(await agent.session.exited).toMatchObject({ code: "AGENT_EXITED" });
  });
});
