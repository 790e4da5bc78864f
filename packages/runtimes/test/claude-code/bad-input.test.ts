import { AGENT_MANIFEST } from "@agentos/protocol";
import type { FakeProgram } from "@agentos/testing";
import { describe, expect, test } from "vitest";

import { ClaudeRuntime } from "../../src/claude-code/claude-runtime.ts";
import { ProgramAgent } from "../agent-fixture.ts";
import { TestHost } from "../test-host.ts";
import { done, INIT, said, standIn } from "./stand-in.ts";

const VERSION = "2.1.329 (Claude Code)\n";
const MIB = 1024 * 1024;
const WRONG_VERSIONS = [
  ["9.0.0 (Claude Code)", "9.0.0"],
  ["1.0.128", "1.0.128"],
  ["no version at all", ""],
] as const;

async function open(program: FakeProgram, version = VERSION) {
  const claude: FakeProgram = async (context) => {
    if (context.argv[1] !== "--version") return await program(context);
    await context.stdout(version);
    return 0;
  };
  const host = await TestHost.start({ api: "anthropic", programs: { claude } });
  const agent = await ProgramAgent.open({
    runtime: new ClaudeRuntime(),
    host,
    spec: { command: "claude", provider: { name: "anthropic" } },
  });
  return { host, agent };
}

describe("what Claude Code may do wrong", () => {
  test("[agent.bad-lines] lines that are no JSON, or unknown, are kept, and the turn goes on", async () => {
    const { agent, host } = await open(
      standIn(async (say, { stderr }) => {
        await say(INIT);
        await say("warning: this is no JSON {");
        await stderr("and this is no output\n");
        await say({ type: "something_new", value: 1 });
        await say({ type: "assistant", message: "not as it was" });
        await say({ type: "stream_event", event: { type: "content_block_delta" } });
        await say(said("fine"));
        await say(done("fine"));
      }),
    );
    expect(await agent.prompt("go")).toEqual({ stopReason: "end_turn", text: "fine" });
    expect(host.told("text")).toBe("fine");
    const raw = host.of("raw").map(({ value }) => value);
    expect(raw).toContain("warning: this is no JSON {");
    expect(raw).toContainEqual({ type: "something_new", value: 1 });
  });

  test("[agent.long-line] a line of 50 MiB is cut, and costs no more than its bound", async () => {
    const { agent, host } = await open(
      standIn(async (say) => {
        await say(INIT);
        await say({ type: "user", message: { content: "x".repeat(50 * MIB) } });
        await say(done("after it"));
      }),
    );
    expect(await agent.prompt("go")).toMatchObject({ stopReason: "end_turn", text: "after it" });
    expect(host.of("raw").map(({ value }) => value)).toContainEqual(
      expect.objectContaining({ cut: true, bytes: expect.any(Number) }),
    );
  });

  test("[agent.exit-code] an exit code of 0 without a last word is a failure, with its last words on stderr", async () => {
    const { agent } = await open(
      standIn(async (say, { stderr }) => {
        await say(INIT);
        await stderr("out of luck\n");
        return 0;
      }),
    );
    expect(await agent.prompt("go")).toMatchObject({
      stopReason: "error",
      aborted: false,
      error: { code: "AGENT_EXITED", details: { exitCode: 0, stderr: ["out of luck"] } },
    });
  });

  test("[agent.aborted] one that ends before it has a conversation used no try", async () => {
    const { agent, host } = await open(standIn(() => 1));
    expect(await agent.prompt("go")).toMatchObject({
      aborted: true,
      error: { code: "AGENT_EXITED" },
    });
    expect(host.sessionIds).toEqual([]);
  });

  test("[agent.eager-id] its conversation is recorded at the first sign of it", async () => {
    const { agent, host } = await open(
      standIn(async (say) => {
        await say(INIT);
        return 1;
      }),
    );
    await agent.prompt("go");
    expect(host.sessionIds).toEqual(["conversation-1"]);
  });

  test("[agent.stubborn] one that ignores signals is killed, and nothing of it is left", async () => {
    const { agent, host } = await open(
      standIn(async (say, context) => {
        for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
          context.trap(signal, () => undefined);
        await say(INIT);
        await say(said("here I stay"));
        await new Promise((resolve) => context.ended.addEventListener("abort", resolve));
      }),
    );
    void agent.prompt("go");
    await expect.poll(() => host.told("text")).toBe("here I stay");
    await agent.session[Symbol.asyncDispose]();
    expect(host.fakeVm.running).toEqual([]);
  });

  test.each(WRONG_VERSIONS)("[agent.version] %s is refused", async (words, version) => {
    await expect(open(() => 0, `${words}\n`)).rejects.toMatchObject({
      code: "AGENT_VERSION",
      details: { agent: "claude-code", version, install: "agentos agents install claude-code" },
    });
  });

  test("[agent.not-installed] the error has the line to type, and what there is", async () => {
    const host = await TestHost.start({ api: "anthropic" });
    const options = { runtime: new ClaudeRuntime(), host };
    const spec = { provider: { name: "anthropic" } };
    await expect(ProgramAgent.open({ ...options, spec })).rejects.toMatchObject({
      code: "AGENT_NOT_INSTALLED",
      details: { install: "agentos agents install claude-code" },
    });
    const folder = "/opt/agentos/agents/claude-code/2.1.330";
    await host.fakeVm.files.mkdir(folder, { mode: 0o755, recursive: true });
    const other = { ...spec, agentVersion: "2.1.400" };
    await expect(ProgramAgent.open({ ...options, spec: other })).rejects.toMatchObject({
      message: expect.stringMatching(/2\.1\.400 is not installed \(there are 2\.1\.330\)/),
    });
    expect(AGENT_MANIFEST).toBe("agentos.json");
  });
});
