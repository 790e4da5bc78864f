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

const isHere = (process.env["AGENTOS_DRIVERS_HERE"] ?? "").includes("linux");

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
    const runDirectory = await mkdtemp(join(tmpdir(), "gw-"));
    const driver = new LinuxDriver({
      runDirectory,
      epoch: 1,
      adoptGraceMs: 0,
      linkKey: Buffer.alloc(32, 1),
      warmPoolSize: 0,
    });
    try {
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
    } finally {
      await driver[Symbol.asyncDispose]();
      await rm(runDirectory, { recursive: true, force: true });
    }
  });
});
