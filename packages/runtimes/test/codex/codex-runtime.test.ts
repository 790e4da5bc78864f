import { once } from "node:events";

import { AgentOsError, type Json, type SessionSpec } from "@agentos/protocol";
import type { FakeProgram } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { CodexRuntime } from "../../src/codex/codex-runtime.ts";
import { ProgramAgent } from "../agent-fixture.ts";
import { replay, type Replay } from "../recorded-program.ts";
import { TestHost, type TestHostOptions } from "../test-host.ts";

const ALLOW: NonNullable<TestHostOptions["authorize"]> = async ({ input }) => ({
  allow: true,
  input,
});
const SPEC = { command: "codex", provider: { name: "openai" } };

interface OpenOptions extends TestHostOptions {
  readonly spec?: Partial<SessionSpec>;
  readonly resume?: string;
}

async function openReplay(name: string, options: OpenOptions = {}) {
  const { spec = {}, resume, ...given } = options;
  const hooked: Json[] = [];
  const recorded = Promise.withResolvers<Replay>();
  const codex: FakeProgram = async (context) => {
    if (context.argv[1] !== "--version") return await (await recorded.promise).program(context);
    await context.stdout("codex-cli 0.169.0\n");
    return 0;
  };
  const base = { api: "openai" as const, authorize: ALLOW, programs: { codex } };
  const host = await TestHost.start({ ...base, ...given });
  recorded.resolve(await recording(name, host, hooked));
  const runtime = new CodexRuntime();
  const agent = await ProgramAgent.open({
    runtime,
    host,
    agentSessionId: resume,
    spec: { ...SPEC, ...spec },
  });
  return { host, agent, recorded: await recorded.promise, hooked };
}

/** The real program has its hook ask before it starts a command. */
async function recording(name: string, host: TestHost, hooked: Json[]): Promise<Replay> {
  return await replay(new URL(`recordings/${name}.jsonl`, import.meta.url), {
    kindOf: ({ method }) => JSON.stringify(method ?? "answer"),
    idOf: ({ id, method }) => {
      const isRequest = method !== undefined && (typeof id === "number" || typeof id === "string");
      return isRequest ? id : undefined;
    },
    before: async (line, { env }) => {
      const item = fieldOf(fieldOf(line["params"], "item"), "type");
      if (line["method"] !== "item/started" || item !== "commandExecution") return;
      const id = fieldOf(fieldOf(line["params"], "item"), "id");
      const input = { tool_name: "Bash", tool_input: { command: "echo hi" }, tool_use_id: id };
      hooked.push(await askHook(host, Number(env["AGENTOS_HOOK_PORT"]), input));
    },
  });
}

async function askHook(host: TestHost, port: number, input: object): Promise<Json> {
  const socket = host.fakeVm.network.dial({ port });
  socket.write(`${JSON.stringify(input)}\n`);
  const [answer] = await once(socket, "data");
  socket.destroy();
  return JSON.parse(String(answer));
}

function fieldOf(value: Json | undefined, name: string): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value[name]
    : undefined;
}

describe("codex, by what the real one said", () => {
  test("[agent.recorded] two turns with a command", async () => {
    const { agent, host, hooked } = await openReplay("tool");
    expect(await agent.prompt("do the job")).toEqual({
      stopReason: "end_turn",
      text: "All done: it said hi.",
    });
    expect(host.told("text")).toBe("I will run it. All done: it said hi.");
    expect(host.told("thought")).toBe("let me think");
    expect(host.calls).toMatchObject([{ callId: "call_fake_1", name: "Bash" }]);
    expect(hooked).toEqual([{}]);
    expect(host.results).toMatchObject([
      { callId: "call_fake_1", outcome: "ok", content: [{ type: "text", text: "hi\n" }] },
    ]);
    expect(host.sessionIds).toHaveLength(1);
    expect(await agent.prompt("a second turn")).toMatchObject({ text: "plain answer" });
    expect(host.used).toEqual([]);
  });

  test("[agent.denied] its hook is told of a denial, and of a changed input", async () => {
    const denied = await openReplay("tool", {
      authorize: async ({ input }) => ({ allow: false, message: "no, by policy", input }),
    });
    await denied.agent.prompt("do the job");
    expect(denied.hooked).toMatchObject([
      {
        hookSpecificOutput: {
          permissionDecision: "deny",
          permissionDecisionReason: "no, by policy",
        },
      },
    ]);
    expect(denied.host.results).toMatchObject([{ outcome: "denied" }]);
    const changed = await openReplay("tool", {
      authorize: async () => ({ allow: true, input: { command: "true" } }),
    });
    await changed.agent.prompt("do the job");
    expect(changed.hooked).toMatchObject([
      { hookSpecificOutput: { permissionDecision: "allow", updatedInput: { command: "true" } } },
    ]);
  });

  test("[agent.host-tool] the session's tools are its dynamic tools", async () => {
    const { agent, host, recorded } = await openReplay("dyn", {
      tools: { weather: () => "sunny" },
    });
    expect(await agent.prompt("weather please")).toMatchObject({ stopReason: "end_turn" });
    expect(host.calls).toMatchObject([{ name: "weather", input: { city: "Oslo" } }]);
    expect(recorded.heard.find(({ method }) => method === "thread/start")).toMatchObject({
      params: { dynamicTools: [{ name: "weather" }] },
    });
  });

  test("[agent.cancel] a cancel interrupts, and the next turn works", async () => {
    const { agent, host } = await openReplay("interrupt");
    const cancel = new AbortController();
    const turn = agent.prompt("slow", { signal: cancel.signal });
    await expect.poll(() => host.told("text")).toContain("slow begin");
    cancel.abort();
    expect(await turn).toMatchObject({ stopReason: "cancelled" });
    expect(await agent.prompt("next")).toMatchObject({ text: "plain answer" });
  });

  test("[agent.model] another model, once it has confirmed it", async () => {
    const { agent, recorded } = await openReplay("model");
    await agent.prompt("do the job");
    await agent.session.setModel?.("gpt-y");
    expect(recorded.heard.at(-1)).toMatchObject({
      method: "thread/settings/update",
      params: { model: "gpt-y" },
    });
    expect(await agent.prompt("after")).toMatchObject({ stopReason: "end_turn" });
  });

  test("[agent.compact] compaction on request", async () => {
    const { agent, host } = await openReplay("compact");
    await agent.prompt("do the job");
    await agent.session.compact?.();
    expect(host.of("compaction").length).toBeGreaterThan(0);
  });

  test.each([
    ["e401", "PROVIDER_REFUSED", "error"],
    ["e429", "RATE_LIMITED", "rate_limit"],
    ["e500", "PROVIDER_FAILED", "error"],
    ["drop", "PROVIDER_FAILED", "error"],
  ] as const)("[agent.failures] %s is told as %s", async (name, code, stopReason) => {
    const { agent } = await openReplay(name);
    expect(await agent.prompt("do the job")).toMatchObject({ stopReason, error: { code } });
  });

  test("[agent.gateway-first] what the gateway saw comes before its own words", async () => {
    const { agent, host } = await openReplay("e429");
    const details = { provider: "openai", resetAt: "2027-01-01T00:00:00.000Z" };
    host.failure = new AgentOsError("RATE_LIMITED", "used up", details);
    expect(await agent.prompt("do the job")).toMatchObject({ error: { details } });
  });

  test("[agent.lost] an unknown thread is RESUME_LOST", async () => {
    const resume = "019a0000-0000-7000-8000-000000000000";
    await expect(openReplay("lost", { resume, state: [{ answered: true }] })).rejects.toMatchObject(
      { code: "RESUME_LOST" },
    );
  });
});
