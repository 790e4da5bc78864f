import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { AgentOs } from "@agentos/client";
import {
  all,
  atTurnStart,
  FakeModelServer,
  lastUserText,
  otherwise,
  script,
  text,
  toolCall,
  when,
} from "@agentos/fake-model";
import { describe, expect, test } from "vitest";

import { DRIVERS_HERE } from "../drivers/each-driver.ts";
import { useWorld } from "../scenarios/world.ts";

useWorld();

function agentOn(url: string) {
  const provider = { name: "anthropic", baseUrl: `${url}/v1`, apiKey: "a made-up key" };
  return { runtime: "anthropic", model: "claude-sonnet-4-5", provider };
}

/** The SDK's files as a VM finds them where the clone's node_modules are mounted. */
function sdkIn(mount: string, name: string): string {
  const file = fileURLToPath(import.meta.resolve(`@modelcontextprotocol/sdk/${name}`));
  return join(mount, file.slice(file.indexOf("/.pnpm/")));
}

const SERVER = `
import { readFileSync } from "node:fs";
import { McpServer } from "${sdkIn("/modules", "server/mcp.js")}";
import { StdioServerTransport } from "${sdkIn("/modules", "server/stdio.js")}";
const server = new McpServer({ name: "notes", version: "1.0.0" });
server.registerTool("read_notes", { description: "The notes." }, () => ({
  content: [{ type: "text", text: readFileSync("/workspace/notes.txt", "utf8") }],
}));
await server.connect(new StdioServerTransport());
`;

describe.runIf(DRIVERS_HERE.includes("linux"))("an MCP server in a linux VM", () => {
  test("[mcp.vm] runs in the VM, is named when it is gone, and ends with its session", async () => {
    await using server = await FakeModelServer.start({
      script: script([
        when(all(lastUserText(/notes/), atTurnStart())).reply(toolCall("read_notes", {})),
        otherwise().reply(({ newResults }) => text(newResults[0]?.result.text ?? "nothing")),
      ]),
    });
    const file = fileURLToPath(import.meta.resolve("@modelcontextprotocol/sdk/server/mcp.js"));
    const source = dirname(file.slice(0, file.indexOf("/.pnpm/") + 1) + "x");
    await using os = await AgentOs.create({
      driver: "linux",
      mounts: [{ kind: "host", source, target: "/modules" }],
    });
    await os.fs.writeFile("/workspace/notes.txt", "only in the VM");
    await os.fs.writeFile("/workspace/server.mjs", SERVER);
    const session = await os.createSession({
      ...agentOn(server.url),
      mcpServers: { notes: { command: "node", args: ["/workspace/server.mjs"] } },
    });
    const good = await session.prompt("Read the notes.");
    expect(good).toMatchObject({ stopReason: "end_turn", text: "only in the VM" });
    const running = async () =>
      (await os.processes()).filter(({ command }) => command.includes("server.mjs"));
    const [process] = await running();
    await os.exec(["kill", "-9", String(process?.pid)]);
    const gone = await session.prompt("Read the notes again.");
    expect(gone.text).toMatch(/MCP server notes is gone: SIGKILL/);
    await using other = await os.createSession({
      ...agentOn(server.url),
      mcpServers: { notes: { command: "node", args: ["/workspace/server.mjs"] } },
    });
    await other.prompt("Read the notes.");
    expect(await running()).toHaveLength(1);
    await other.close();
    expect(await running()).toEqual([]);
    await session.close();
  });
});
