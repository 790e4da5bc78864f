import { AgentOs } from "@agentos/client";
import {
  afterTools,
  FakeModelServer,
  otherwise,
  script,
  text,
  toolCall,
  when,
} from "@agentos/fake-model";
import { describe, expect, test } from "vitest";

import { useWorld } from "../scenarios/world.ts";
import { DRIVERS_HERE } from "./each-driver.ts";

useWorld();

const KEY = "canary-key-90c2aa";

function agentOn(url: string) {
  const provider = { name: "anthropic", baseUrl: `${url}/v1`, apiKey: KEY };
  return { runtime: "anthropic", model: "claude-sonnet-4-5", provider };
}

describe.each(DRIVERS_HERE)("an agent on a model API in a VM of the driver %s", (driver) => {
  test("[api.driver] reads, writes and runs with its tools, and the VM never sees its key", async () => {
    await using server = await FakeModelServer.start({
      script: script([
        when(afterTools("run_command")).reply(({ newResults }) =>
          text(`It says: ${newResults[0]?.result.text}`),
        ),
        when(afterTools("create_file")).reply(toolCall("run_command", { command: "cat copy.txt" })),
        otherwise().reply(({ messages }) => {
          const seen = /the notes: (\w+)/.exec(JSON.stringify(messages))?.[1] ?? "nothing";
          return toolCall("create_file", { path: "copy.txt", content: `copied ${seen}` });
        }),
      ]),
    });
    await using os = await AgentOs.create({ driver });
    await os.fs.writeFile("/workspace/notes.txt", "the notes: heron");
    await using session = await os.createSession(agentOn(server.url));
    const result = await session.prompt([
      { type: "text", text: "Copy the notes." },
      { type: "file", mediaType: "text/plain", path: "/workspace/notes.txt" },
    ]);
    expect(result).toMatchObject({ stopReason: "end_turn" });
    expect(result.text).toContain("copied heron");
    expect(await os.fs.readFile("/workspace/copy.txt", "utf8")).toBe("copied heron");
    const places = "/workspace /home /tmp /run";
    const seen = await os.exec(
      `env; cat /proc/[0-9]*/environ 2>/dev/null; grep -rs canary ${places} 2>/dev/null; true`,
    );
    expect(seen.stdout).toContain("PATH=");
    expect(seen.stdout).not.toContain(KEY);
  });
});
