import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { AgentEndpoint, RuntimeHost, SessionVm } from "@agentos/core";
import {
  FakeModelServer,
  httpBody,
  lastUserText,
  otherwise,
  script,
  text,
  when,
} from "@agentos/fake-model";
import { ByteReader } from "@agentos/protocol";
import { LinuxDriver } from "@agentos/vm";
import { describe, expect, test } from "vitest";

import { SessionWorld } from "../sessions/session-world.ts";

const KEY = "sk-canary-0b7d19c4e2f85a63";

/** What stands for an agent: it asks its model, and says what it was told and what it knows. */
const AGENT = `
const answer = await fetch(process.env.BASE_URL + "/v1/messages", {
  method: "POST",
  headers: { "x-api-key": process.env.TOKEN, "content-type": "application/json" },
  body: JSON.stringify({
    model: "claude-sonnet-5-5",
    max_tokens: 100,
    stream: true,
    messages: [{ role: "user", content: process.argv[2] }],
  }),
});
process.stdout.write(answer.status + " " + (await answer.text()));
`;

/** Everything of the VM that could have a key in it. */
const SEARCH = `env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null; grep -rhs canary /workspace /home /tmp /run /etc; true`;

async function run(vm: SessionVm, argv: string[], env: Record<string, string>): Promise<string> {
  const chunks: Uint8Array[] = [];
  const reader = new ByteReader((bytes) => void chunks.push(bytes), "process");
  const process = await vm.handle().startProcess(
    {
      processId: `p-${Math.random()}`,
      argv,
      cwd: "/workspace",
      env: { ...vm.environment, ...env },
      stdin: "none",
      output: "piped",
      windowBytes: 256 * 1024,
    },
    reader,
  );
  reader.attach(process);
  const exit = await process.exited;
  reader.until({ stdout: exit.stdoutBytes, stderr: exit.stderrBytes });
  await reader.ended;
  process.close();
  return Buffer.concat(chunks).toString();
}

async function ask(host: RuntimeHost, endpoint: AgentEndpoint, prompt: string): Promise<string> {
  const env = { BASE_URL: endpoint.baseUrl, TOKEN: endpoint.token };
  return await run(host.vm, ["node", "--input-type=module", "-e", AGENT, "agent", prompt], env);
}

function line(id: number, method: string, params: object): string {
  return JSON.stringify({ jsonrpc: "2.0", id, method, params });
}

const isHere = (process.env["AGENTOS_DRIVERS_HERE"] ?? "").includes("linux");

/** A driver with files of its own, removed with it. */
async function openDriver(): Promise<AsyncDisposable & { driver: LinuxDriver }> {
  const runDirectory = await mkdtemp(join(tmpdir(), "gw-"));
  const driver = new LinuxDriver({
    runDirectory,
    epoch: 1,
    adoptGraceMs: 0,
    linkKey: Buffer.alloc(32, 1),
    warmPoolSize: 0,
  });
  return {
    driver,
    [Symbol.asyncDispose]: async () => {
      await driver[Symbol.asyncDispose]();
      await rm(runDirectory, { recursive: true, force: true });
    },
  };
}

describe.runIf(isHere)("an agent in a linux VM", () => {
  test("[gateway.vm] [S36] calls its model through the gateway, and finds the key nowhere", async () => {
    await using server = await FakeModelServer.start({
      keys: [KEY],
      script: script([
        when(lastUserText(/say the key/)).fail(httpBody(400, "text/plain", `No good: ${KEY}.`)),
        otherwise().reply(text("Hello from the model."), {
          usage: { inputTokens: 10, outputTokens: 4 },
        }),
      ]),
    });
    await using vms = await openDriver();
    const { driver } = vms;
    await using world = await SessionWorld.start(
      async ({ host, prompt, signal }) => {
        const endpoint = await host.endpoint({ signal });
        if (prompt === "search") return await run(host.vm, ["sh", "-c", SEARCH], {});
        return await ask(host, endpoint, prompt);
      },
      {
        sidecar: { drivers: [driver] },
        spec: {
          provider: { name: "anthropic", baseUrl: `${server.url}/v1`, apiKey: KEY },
          budget: { turns: 2 },
        },
      },
    );
    const said = await world.session.prompt("hello");
    expect(said.error).toBeUndefined();
    expect(said.text).toMatch(/^200 [^]*Hello from the model/);
    expect(said.usage).toMatchObject({ inputTokens: 10, outputTokens: 4, totalTokens: 14 });
    const told = await world.session.prompt("say the key");
    expect(told.text).toMatch(/^400 No good: \*+\.$/);
    const found = await world.session.prompt("search");
    expect(found.text).toContain("PATH=");
    await world.session.prompt("hello");
    expect(await world.session.prompt("hello")).toMatchObject({ stopReason: "max_turns" });
    const texts = [
      found.text,
      told.text,
      world.world.filesText(),
      JSON.stringify(world.world.log.lines),
      JSON.stringify(await world.session.events()),
    ];
    for (const each of texts) expect(each).not.toContain(KEY);
  });

  test("[tools.vm] finds its session's tools as a command and as an MCP server", async () => {
    await using vms = await openDriver();
    const tool = {
      name: "add",
      description: "Adds two numbers.",
      inputSchema: {
        type: "object",
        properties: { a: { type: "number" }, b: { type: "number" } },
        required: ["a", "b"],
      },
      crossesBorder: false,
    };
    await using world = await SessionWorld.start(
      async ({ host, prompt, signal }) => {
        const { env, mcp } = await host.toolDoor({ signal });
        const command = prompt.replace("MCP", [mcp.command, ...mcp.args].join(" "));
        return await run(host.vm, ["sh", "-c", `${command} 2>&1; echo "exit $?"`], env);
      },
      {
        runtime: { capabilities: { builtinTools: false } },
        sidecar: { drivers: [vms.driver] },
        spec: { tools: [tool] },
      },
    );
    const { client, session } = world;
    client.onCallback = async (params) => {
      const said = params.ask.kind === "tool" ? JSON.stringify(params.ask.input) : "no tool";
      return { kind: "tool", isError: false, content: [{ type: "text", text: said }] };
    };
    await client.peer.request("session.handle", { ...session.ref, callbacks: ["tool:add"] });
    const say = async (prompt: string) => (await session.prompt(prompt)).text;
    expect(await say("agentos-tool list")).toBe("add  Adds two numbers.\nexit 0\n");
    expect(await say("agentos-tool add --a 1 --b 2")).toBe('{"a":1,"b":2}\nexit 0\n');
    expect(await say("agentos-tool add --a x")).toMatch(/expected a number, got x[^]*exit 2\n$/);
    expect(await say("AGENTOS_TOOLS_TOKEN=no agentos-tool list")).toMatch(/token[^]*exit 2\n$/);
    const lines = [
      line(1, "initialize", { protocolVersion: "2025-11-25" }),
      line(2, "tools/call", { name: "add", arguments: { a: 3, b: 4 } }),
    ];
    const answers = (await say(`printf '%s\\n' '${lines.join("' '")}' | MCP`)).split("\n");
    expect(answers).toHaveLength(4);
    expect(answers[0]).toContain('"protocolVersion":"2025-11-25"');
    expect(answers[1]).toContain('"text":"{\\"a\\":3,\\"b\\":4}"');
    expect(answers[2]).toBe("exit 0");
  });
});
