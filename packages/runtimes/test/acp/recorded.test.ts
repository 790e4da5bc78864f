import { type Json, type SessionSpec } from "@agentos/protocol";
import type { FakeProgram } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import type { AcpAgent } from "../../src/acp/acp-agent.ts";
import { AcpRuntime } from "../../src/acp/acp-runtime.ts";
import { GEMINI_AGENT } from "../../src/gemini-cli/gemini-agent.ts";
import { OPENCODE_AGENT } from "../../src/opencode/opencode-agent.ts";
import { ProgramAgent } from "../agent-fixture.ts";
import { replay } from "../recorded-program.ts";
import { TestHost } from "../test-host.ts";

interface Recorded {
  readonly agent: AcpAgent;
  readonly version: string;
  readonly spec: Partial<SessionSpec>;
  readonly api: "anthropic" | "gemini";
  readonly sessionId: string;
  /** How it names its shell, and what it tells of the command. */
  readonly shell: { name: string; input: Json };
  /** What it says of a tool that was denied is its own. */
  readonly reply: string;
}

const RECORDED: Record<string, Recorded> = {
  gemini: {
    agent: GEMINI_AGENT,
    version: "0.61.0",
    spec: { provider: { name: "gemini" }, model: "gemini-2.5-flash" },
    api: "gemini",
    sessionId: "623fb619-c2a9-493c-8dcb-0b07d92c1ad1",
    shell: { name: "run_shell_command", input: { command: "touch made-by-agent" } },
    reply: "The shell said:",
  },
  opencode: {
    agent: OPENCODE_AGENT,
    version: "1.18.33",
    spec: { provider: { name: "anthropic" }, model: "claude-sonnet-4-5" },
    api: "anthropic",
    sessionId: "ses_dd17eae64ffeESscp0CDaj6osj",
    shell: { name: "bash", input: { command: "echo seen-$((40+2))" } },
    reply: "The shell said: seen-42",
  },
};

describe.each(Object.entries(RECORDED))("%s, by what the real one said", (name, recorded) => {
  test("[acp.recorded] a tool is asked about, allowed and denied; a cancel, and the next turn", async () => {
    const recording = await replay(new URL(`recordings/${name}-turns.jsonl`, import.meta.url), {
      kindOf: ({ method, result }) => JSON.stringify([method ?? null, result ?? null]),
      idOf: ({ id, method }) =>
        method !== undefined && (typeof id === "number" || typeof id === "string") ? id : undefined,
    });
    const program: FakeProgram = async (context) => {
      if (context.argv[1] !== "--version") return await recording.program(context);
      await context.stdout(`${recorded.version}\n`);
      return 0;
    };
    let verdict = true;
    const host = await TestHost.start({
      api: recorded.api,
      programs: { agent: program },
      authorize: async ({ input }) => ({ allow: verdict, message: "not today", input }),
    });
    const agent = await ProgramAgent.open({
      runtime: new AcpRuntime(recorded.agent),
      host,
      spec: { command: "agent", ...recorded.spec },
    });
    const first = await agent.prompt("SHELL JOB");
    expect(first.stopReason).toBe("end_turn");
    expect(first.text.startsWith(recorded.reply)).toBe(true);
    expect(host.told("text")).toContain("I will look. ");
    expect(host.sessionIds).toEqual([recorded.sessionId]);
    expect(host.calls).toMatchObject([recorded.shell]);
    expect(host.results).toMatchObject([{ name: recorded.shell.name, outcome: "ok" }]);
    verdict = false;
    expect(await agent.prompt("SHELL JOB again")).toMatchObject({ stopReason: "end_turn" });
    expect(host.results.slice(1)).toMatchObject([
      { name: recorded.shell.name, outcome: "denied", content: [{ text: "not today" }] },
    ]);
    const controller = new AbortController();
    const slow = agent.prompt("SLOW", { signal: controller.signal });
    await expect.poll(() => host.told("text")).toContain("slow begins");
    controller.abort();
    expect(await slow).toMatchObject({ stopReason: "cancelled" });
    expect(await agent.prompt("NEXT")).toEqual({ stopReason: "end_turn", text: "next works" });
    await agent.session[Symbol.asyncDispose]();
    expect(host.fakeVm.running).toEqual([]);
  });
});
