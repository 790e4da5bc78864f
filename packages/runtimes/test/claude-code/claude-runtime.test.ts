import { AgentOsError, type Json, type SessionSpec } from "@agentos/protocol";
import type { FakeProgram } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { ClaudeRuntime } from "../../src/claude-code/claude-runtime.ts";
import { ProgramAgent } from "../agent-fixture.ts";
import { replay, type Replay } from "../recorded-program.ts";
import { TestHost, type TestHostOptions } from "../test-host.ts";

const ALLOW: NonNullable<TestHostOptions["authorize"]> = async ({ input }) => ({
  allow: true,
  input,
});
const VERSION = "2.1.329 (Claude Code)\n";

interface OpenOptions extends TestHostOptions {
  readonly spec?: Partial<SessionSpec>;
  readonly resume?: string;
  readonly version?: string;
}

async function openWith(program: FakeProgram, options: OpenOptions = {}) {
  const { spec = {}, resume, version = VERSION, ...host } = options;
  const claude: FakeProgram = async (context) => {
    if (context.argv[1] !== "--version") return await program(context);
    await context.stdout(version);
    return 0;
  };
  const testHost = await TestHost.start({
    api: "anthropic",
    authorize: ALLOW,
    programs: { claude },
    ...host,
  });
  const open = ProgramAgent.open({
    runtime: new ClaudeRuntime(),
    host: testHost,
    agentSessionId: resume,
    spec: { command: "claude", provider: { name: "anthropic" }, ...spec },
  });
  return { host: testHost, agent: await open };
}

async function openReplay(name: string, options: OpenOptions = {}) {
  const recorded = await recording(name);
  return { ...(await openWith(recorded.program, options)), recorded };
}

async function recording(name: string): Promise<Replay> {
  return await replay(new URL(`recordings/${name}.jsonl`, import.meta.url), {
    kindOf: ({ type, request }) => JSON.stringify([type, fieldOf(request, "subtype")]),
    idOf: (line) => {
      const id = line["request_id"];
      return typeof id === "string" ? id : undefined;
    },
  });
}

function fieldOf(value: Json | undefined, name: string): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value[name]
    : undefined;
}

describe("claude-code, by what the real one said", () => {
  test("[agent.recorded] two turns with a tool", async () => {
    const { agent, host, recorded } = await openReplay("tool");
    expect(await agent.prompt("do the job")).toEqual({
      stopReason: "end_turn",
      text: "All done: it said hi.",
    });
    expect(host.told("text")).toBe("I will run it. All done: it said hi.");
    expect(host.told("thought")).toBe("let me think");
    expect(host.calls).toEqual([
      {
        callId: "toolu_fake_1",
        name: "Bash",
        input: { command: "echo hi", description: "say hi" },
      },
    ]);
    expect(host.results).toMatchObject([
      { callId: "toolu_fake_1", outcome: "ok", content: [{ type: "text", text: "hi" }] },
    ]);
    expect(host.sessionIds).toHaveLength(1);
    expect(await agent.prompt("a second turn")).toMatchObject({ text: "plain answer" });
    const [words = []] = recorded.argv;
    expect(words.at(words.indexOf("--session-id") + 1)).toMatch(/^[0-9a-f-]{36}$/);
    // Every line but the deltas is kept for audit.
    expect(host.of("raw").some(({ value }) => fieldOf(value, "type") === "assistant")).toBe(true);
    expect(host.used).toEqual([]);
  });

  test("[agent.denied] a denial reaches the model, and the tool does not run", async () => {
    const { agent, host, recorded } = await openReplay("deny", {
      authorize: async ({ input }) => ({ allow: false, message: "no, by policy", input }),
    });
    expect(await agent.prompt("do the job")).toMatchObject({ stopReason: "end_turn" });
    expect(host.results).toMatchObject([{ outcome: "denied" }]);
    const answer = recorded.heard.find(({ type }) => type === "control_response");
    expect(
      fieldOf(
        fieldOf(fieldOf(answer?.["response"], "response"), "hookSpecificOutput"),
        "permissionDecision",
      ),
    ).toBe("deny");
  });

  test("[agent.cancel] a cancel interrupts, and the next turn works", async () => {
    const { agent, host } = await openReplay("interrupt");
    const cancel = new AbortController();
    const turn = agent.prompt("slow", { signal: cancel.signal });
    await expect.poll(() => host.told("text")).toContain("slow begin");
    cancel.abort();
    expect(await turn).toMatchObject({ stopReason: "cancelled" });
    expect(await agent.prompt("next")).toMatchObject({
      stopReason: "end_turn",
      text: "plain answer",
    });
  });

  test("[agent.model] another model, once it has confirmed it", async () => {
    const { agent, recorded } = await openReplay("model");
    await agent.prompt("do the job");
    await agent.session.setModel?.("claude-opus-4-5");
    expect(recorded.heard.at(-1)).toMatchObject({
      request: { subtype: "set_model", model: "claude-opus-4-5" },
    });
    expect(await agent.prompt("after switch")).toMatchObject({ stopReason: "end_turn" });
  });

  test("[agent.compact] compaction on request", async () => {
    const { agent, host } = await openReplay("compact");
    await agent.prompt("do the job");
    await agent.session.compact?.();
    expect(host.of("compaction")).toHaveLength(1);
  });

  test.each([
    ["e401", "PROVIDER_REFUSED", "error"],
    ["e429", "RATE_LIMITED", "rate_limit"],
    ["e500", "PROVIDER_FAILED", "error"],
  ] as const)("[agent.failures] %s is told as %s", async (name, code, stopReason) => {
    const { agent } = await openReplay(name);
    expect(await agent.prompt("do the job")).toMatchObject({ stopReason, error: { code } });
  });

  test("[agent.gateway-first] what the gateway saw comes before the agent's own words", async () => {
    const { agent, host } = await openReplay("e429");
    const details = { provider: "anthropic", resetAt: "2027-01-01T00:00:00.000Z" };
    host.failure = new AgentOsError("RATE_LIMITED", "used up", details);
    expect(await agent.prompt("do the job")).toMatchObject({ error: { details } });
  });

  test("a stream that breaks off is taken up by the agent itself", async () => {
    const { agent, host } = await openReplay("drop");
    expect(await agent.prompt("do the job")).toMatchObject({ stopReason: "end_turn" });
    expect(host.told("text")).toContain("recovered");
  });

  test("[agent.lost] an unknown conversation is RESUME_LOST", async () => {
    const { program } = await recording("lost");
    const resume = "11111111-2222-3333-4444-555555555555";
    await expect(openWith(program, { resume, state: [{ answered: true }] })).rejects.toMatchObject({
      code: "RESUME_LOST",
    });
  });

  test("[agent.nothing-lost] one that was killed before its first answer begins anew", async () => {
    const [lost, fresh] = await Promise.all([recording("lost"), recording("tool")]);
    const { agent, host } = await openWith(
      (context) => (context.argv.includes("--resume") ? lost : fresh).program(context),
      { resume: "11111111-2222-3333-4444-555555555555" },
    );
    expect(await agent.prompt("do the job")).toMatchObject({ stopReason: "end_turn" });
    expect(host.entries).toEqual([{ answered: true }]);
  });
});
