import {
  FakeModelServer,
  otherwise,
  script,
  text,
  thinking,
  toolCall,
  unauthorized,
  when,
} from "@agentos/fake-model";
import { describe, expect, test } from "vitest";

import { KeyRedactor } from "../../src/api/key-redactor.ts";
import { TestHost } from "../test-host.ts";
import { KEY, PROVIDERS, TestAgent } from "./api-fixture.ts";

/** Everything that a session leaves anywhere. */
function all(host: TestHost, more: unknown): string {
  return JSON.stringify([host.events, host.entries, host.calls, host.used, more]);
}

describe.for(PROVIDERS)("the key of $name", (provider) => {
  test("[api.canary] is in no event, no state, no tool's input and no error, even where the server says it back", async () => {
    const half = Math.floor(KEY.length / 2);
    await using server = await FakeModelServer.start({
      script: script([
        when(({ turn }) => turn > 0).fail(unauthorized(`wrong key: ${KEY}`)),
        when(({ step }) => step === 0).reply([
          thinking(`the key ${KEY}`),
          text(["my key is ", KEY.slice(0, half), KEY.slice(half), "!"]),
          toolCall("look", { key: KEY }),
        ]),
        otherwise().reply(text("Done.")),
      ]),
    });
    const host = await TestHost.start({ tools: { look: () => "seen" } });
    await using agent = await TestAgent.open({ url: server.url, host, provider });
    const first = await agent.prompt("Tell me.");
    const second = await agent.prompt("Again.");
    const told = [first, second, second.error?.message, String(second.error?.stack)];
    expect(all(host, told)).not.toContain(KEY);
    expect(host.told("text")).toContain("my key is [redacted]!");
    expect(second.error?.message).toContain("[redacted]");
    // It went where it belongs, and was the session's own.
    expect(JSON.stringify(server.journal.entries[0]?.credentials)).toContain(KEY);
    expect(JSON.stringify(host.fakeVm.environment)).not.toContain(KEY);
  });

  test("[api.canary] is the session's own, and so is the address, whatever the sidecar's environment says", async () => {
    const variables = {
      ANTHROPIC_API_KEY: "env-canary-1",
      ANTHROPIC_AUTH_TOKEN: "env-canary-2",
      ANTHROPIC_BASE_URL: "http://127.0.0.1:1",
      OPENAI_API_KEY: "env-canary-3",
      OPENAI_BASE_URL: "http://127.0.0.1:1",
      OPENAI_ORGANIZATION: "env-canary-4",
      GOOGLE_GENERATIVE_AI_API_KEY: "env-canary-5",
    };
    const before = { ...process.env };
    Object.assign(process.env, variables);
    try {
      await using server = await FakeModelServer.start({
        script: script([otherwise().reply(text("Done."))]),
      });
      const host = await TestHost.start();
      await using agent = await TestAgent.open({ url: server.url, host, provider });
      await expect(agent.prompt("Hi.")).resolves.toMatchObject({ text: "Done." });
      expect(JSON.stringify(server.journal.entries)).not.toContain("env-canary");
    } finally {
      for (const name of Object.keys(variables)) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
    }
  });
});

test("a key is found wherever the pieces are cut", () => {
  const words = `a ${KEY}${KEY} b ${KEY.slice(0, 5)} c`;
  for (let size = 1; size <= words.length; size += 1) {
    const stream = new KeyRedactor(KEY).stream();
    let told = "";
    for (let at = 0; at < words.length; at += size) told += stream.push(words.slice(at, at + size));
    told += stream.end();
    expect(told).toBe(`a [redacted][redacted] b ${KEY.slice(0, 5)} c`);
  }
});
