import type { FakeProgram } from "@agentos/testing";
import { describe, expect, onTestFinished, test } from "vitest";

import type { AgentLine } from "../../src/agent-process/agent-line.ts";
import { AgentProcess, type AgentProcessOptions } from "../../src/agent-process/agent-process.ts";
import { TestHost } from "../test-host.ts";

async function start(
  program: FakeProgram,
  more: Partial<AgentProcessOptions> = {},
  signal = new AbortController().signal,
) {
  const host = await TestHost.start({ programs: { agent: program } });
  const lines: unknown[] = [];
  const agent = await AgentProcess.start(
    {
      agent: "stand-in",
      vm: host.vm,
      sessionId: "session-1",
      argv: ["agent"],
      cwd: "/workspace",
      env: {},
      shutdownMs: 400,
      onLine: (line) => lines.push(shown(line)),
      ...more,
    },
    { signal },
  );
  onTestFinished(() => agent[Symbol.asyncDispose]());
  return { agent, host, lines };
}

function shown(line: AgentLine): unknown {
  return line.kind === "json" ? { kind: "json", value: line.value } : line;
}

/** Every line of its stdin, until that ends. */
const echo: FakeProgram = async ({ stdin, stdout }) => {
  for await (const bytes of stdin) await stdout(bytes);
  return 0;
};

describe("AgentProcess", () => {
  test("speaks lines of JSON both ways, and ends when its input does", async () => {
    const { agent, lines, host } = await start(echo);
    await agent.send({ text: "one\u2028line" });
    await agent.send(["two"]);
    await agent[Symbol.asyncDispose]();
    expect(lines).toEqual([
      { kind: "json", value: { text: "one\u2028line" } },
      { kind: "json", value: ["two"] },
    ]);
    expect(await agent.exit).toEqual({ exitCode: 0, signal: null, stderr: [] });
    expect(host.fakeVm.running).toEqual([]);
  });

  test("a line that is no JSON is kept, and the next one is read", async () => {
    const { agent, lines } = await start(async ({ stdout }) => {
      await stdout('{"ok":1}\n{"broken\nwarning: something\n{"ok":2}');
      return 0;
    });
    await agent.exit;
    expect(lines).toEqual([
      { kind: "json", value: { ok: 1 } },
      { kind: "text", text: '{"broken' },
      { kind: "text", text: "warning: something" },
      { kind: "json", value: { ok: 2 } },
    ]);
  });

  test("a line of 50 MB is cut, memory is bounded, and the agent goes on", async () => {
    const mebibyte = Buffer.alloc(1024 * 1024, "x");
    const { agent, lines } = await start(async ({ stdout }) => {
      for (let count = 0; count < 50; count += 1) await stdout(mebibyte);
      await stdout('\n{"still":"here"}\n');
      return 0;
    });
    await agent.exit;
    expect(lines).toEqual([
      { kind: "cut", head: "x".repeat(4096), bytes: 50 * 1024 * 1024 },
      { kind: "json", value: { still: "here" } },
    ]);
  });

  test("what it wrote on stderr is told with its end, and is no line of its", async () => {
    const { agent, lines } = await start(async ({ stdout, stderr }) => {
      for (let count = 0; count < 150; count += 1) {
        await stderr(`trouble ${count}\n`);
        await stdout(`{"n":${count}}\n`);
      }
      return 3;
    });
    const error = await agent.exited;
    expect(error).toMatchObject({
      code: "AGENT_EXITED",
      message: "the agent stand-in is gone: exit code 3: trouble 149",
      details: { exitCode: 3, signal: null },
    });
    expect(error.details.stderr).toHaveLength(100);
    expect(lines).toHaveLength(150);
  });

  test("has the VM's environment, its own, and its session's mark, and nothing else", async () => {
    const { agent, lines, host } = await start(
      async ({ env, stdout }) => {
        await stdout(`${JSON.stringify(env)}\n`);
        return 0;
      },
      { env: { MODEL_URL: "http://127.0.0.1:1", AGENTOS_SESSION_ID: "another" } },
    );
    await agent.exit;
    expect(lines).toEqual([
      {
        kind: "json",
        value: {
          ...host.vm.environment,
          LANG: "C.UTF-8",
          NO_COLOR: "1",
          TERM: "dumb",
          MODEL_URL: "http://127.0.0.1:1",
          AGENTOS_SESSION_ID: "session-1",
        },
      },
    ]);
  });

  test("one that ignores its input's end and SIGTERM is killed", async () => {
    const { agent, host } = await start(async (context) => {
      context.trap("SIGTERM", () => undefined);
      await new Promise((resolve) => context.ended.addEventListener("abort", resolve));
      return 0;
    });
    await agent[Symbol.asyncDispose]();
    expect(await agent.exit).toMatchObject({ exitCode: null, signal: "SIGKILL" });
    expect(host.fakeVm.running).toEqual([]);
  });

  test("writing waits for a program that does not read, and no longer than it lives", async () => {
    const { agent } = await start(async ({ ended }) => {
      await new Promise((resolve) => ended.addEventListener("abort", resolve));
      return 0;
    });
    const written = agent.write("x".repeat(1024 * 1024));
    await expect(agent.write("x".repeat(8 * 1024 * 1024))).rejects.toMatchObject({
      code: "POOL_EXHAUSTED",
    });
    agent.signal("SIGKILL");
    await written;
    expect(await agent.exited).toMatchObject({ message: "the agent stand-in is gone: SIGKILL" });
  });

  test("one that is not installed says what to type", async () => {
    const argv = ["nonesuch"];
    const install = "agentos agents install stand-in";
    await expect(start(echo, { argv, install })).rejects.toMatchObject({
      code: "AGENT_NOT_INSTALLED",
      details: { agent: "stand-in", install },
    });
    await expect(start(echo, { argv })).rejects.toMatchObject({ code: "COMMAND_NOT_FOUND" });
  });

  test("a start that is given up leaves nothing", async () => {
    const controller = new AbortController();
    controller.abort(new Error("given up"));
    await expect(start(echo, {}, controller.signal)).rejects.toThrow("given up");
  });

  test("a VM that dies is an end that nobody saw", async () => {
    const { agent, host } = await start(echo);
    host.fakeVm.die();
    expect(await agent.exited).toMatchObject({
      message: "the agent stand-in is gone: its VM is gone",
      details: { exitCode: null, signal: null },
    });
    await agent[Symbol.asyncDispose]();
  });
});
