import { once } from "node:events";
import type { Duplex } from "node:stream";

import { describe, expect, test } from "vitest";

import { TOOL_BOUNDS } from "../../src/tools/tool-bounds.ts";
import { ToolWorld } from "./tool-world.ts";

const request = (id: number | string, method: string, params = {}) => ({
  jsonrpc: "2.0",
  id,
  method,
  params,
});

/** However it was closed. */
async function closed(socket: Duplex): Promise<void> {
  if (socket.closed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once("close", resolve);
  await promise;
}

describe("a session's tools, as an MCP server in its VM", () => {
  test("[tools.mcp] answer in the version that was asked for, are listed, and are called", async () => {
    await using tools = await ToolWorld.start();
    const call = { name: "deploy", arguments: { place: "moon", count: 2 } };
    const answers = await tools.mcp(
      [
        request("d", "server/discover"),
        request(1, "initialize", { protocolVersion: "2025-06-18", capabilities: {} }),
        { jsonrpc: "2.0", method: "notifications/initialized" },
        request(2, "ping"),
        request(3, "tools/list"),
        request(4, "tools/call", call),
      ],
      5,
    );
    expect(answers[0]).toMatchObject({ id: "d", error: { code: -32_601 } });
    expect(answers[1]).toMatchObject({
      id: 1,
      result: {
        protocolVersion: "2025-06-18",
        capabilities: { tools: {} },
        serverInfo: { name: "agentos" },
      },
    });
    expect(answers[2]).toEqual({ jsonrpc: "2.0", id: 2, result: {} });
    expect(answers[3]).toMatchObject({
      id: 3,
      result: { tools: [{ name: "deploy", inputSchema: { required: ["place"] } }, {}] },
    });
    expect(answers[4]).toEqual({
      jsonrpc: "2.0",
      id: 4,
      result: { content: [{ type: "text", text: 'deployed {"place":"moon","count":2}' }] },
    });
    expect(tools.calls).toMatchObject([{ callback: "tool:deploy" }]);
    const { events } = await tools.world.session.events();
    expect(events.filter(({ type }) => type.startsWith("tool_")).map(({ type }) => type)).toEqual([
      "tool_call",
      "tool_result",
    ]);
  });

  test("[tools.desk] [S42] go through the same desk: policy and schema hold, and a batch is one line", async () => {
    await using tools = await ToolWorld.start();
    const [answer] = await tools.mcp(
      [
        [
          request(1, "tools/call", { name: "forbidden" }),
          request(2, "tools/call", { name: "deploy", arguments: { place: 7 } }),
          request(3, "tools/call", { name: "nobody" }),
          request(4, "tools/call", {}),
          { jsonrpc: "2.0", method: "notifications/initialized" },
        ],
      ],
      1,
    );
    expect(answer).toMatchObject([
      { id: 1, result: { isError: true } },
      { id: 2, result: { isError: true } },
      { id: 3, result: { isError: true, content: [{ text: "Unknown tool: 'nobody'" }] } },
      { id: 4, error: { code: -32_602 } },
    ]);
    expect(tools.calls).toEqual([]);
  });

  test("[tools.malformed] a bad line is told so, and one beyond the bound ends the connection", async () => {
    await using tools = await ToolWorld.start();
    const answers = await tools.mcp(["{nonsense", [], { jsonrpc: "1.0" }, request(1, "ping")], 4);
    expect(answers).toMatchObject([
      { id: null, error: { code: -32_700 } },
      { id: null, error: { code: -32_600 } },
      { id: null, error: { code: -32_600 } },
      { id: 1, result: {} },
    ]);
    const flood = tools.dial("mcp");
    flood.resume();
    flood.write(Buffer.alloc(TOOL_BOUNDS.lineBytes + 1, "a"));
    await closed(flood);
    const huge = tools.vm.network.dial({ path: "/run/agentos/tools" });
    huge.on("error", () => undefined).resume();
    huge.write(Buffer.from([255, 255, 255, 127]));
    await closed(huge);
  });

  test("[tools.token] [S42] a foreign token opens nothing, and a hello that never comes ends", async () => {
    await using tools = await ToolWorld.start();
    const foreign = "aos-of-somebody-else";
    expect(await tools.mcp([request(1, "tools/list")], 1, foreign)).toMatchObject([
      { id: 1, error: { code: -32_001 } },
    ]);
    expect(await tools.run(["deploy", "--place", "moon"], foreign)).toEqual([
      2,
      "",
      expect.stringContaining("AGENTOS_TOOLS_TOKEN"),
    ]);
    const silent = tools.vm.network.dial({ path: "/run/agentos/tools" });
    silent.on("error", () => undefined).resume();
    tools.world.world.clock.advance(TOOL_BOUNDS.helloMs);
    await closed(silent);
    expect(tools.calls).toEqual([]);
  });

  test("[tools.cancel] a program that goes away, or says so, cancels its call", async () => {
    await using tools = await ToolWorld.start();
    let asked = Promise.withResolvers<void>();
    tools.world.client.onCallback = async () => {
      asked.resolve();
      return await new Promise<never>(() => undefined);
    };
    const call = request(1, "tools/call", { name: "deploy", arguments: { place: "x" } });
    const cancelled = {
      jsonrpc: "2.0",
      method: "notifications/cancelled",
      params: { requestId: 1 },
    };
    const socket = tools.dial("mcp");
    socket.write(`${JSON.stringify(call)}\n`);
    await asked.promise;
    socket.write(`${JSON.stringify(cancelled)}\n`);
    const [answer] = await once(socket, "data");
    expect(JSON.parse(String(answer))).toMatchObject({ id: 1, result: { isError: true } });
    asked = Promise.withResolvers();
    const again = tools.dial("mcp");
    again.write(`${JSON.stringify(call)}\n`);
    await asked.promise;
    again.destroy();
    const results = async () => {
      const { events } = await tools.world.session.events();
      return events.filter((event) => event.type === "tool_result").length;
    };
    await expect.poll(results).toBe(2);
  });

  test("[tools.ended] end with their session", async () => {
    await using tools = await ToolWorld.start();
    const socket = tools.dial("mcp");
    socket.resume().write(`${JSON.stringify(request(1, "ping"))}\n`);
    await once(socket, "data");
    const { client, session } = tools.world;
    await client.peer.request("session.close", session.ref);
    await closed(socket);
    expect(await tools.run(["list"])).toEqual([2, "", expect.any(String)]);
  });
});

describe("agentos-tool", () => {
  test("[tools.command] lists, helps, and calls with flags that are read by the schema", async () => {
    await using tools = await ToolWorld.start();
    expect(await tools.run(["list"])).toEqual([
      0,
      "deploy     Deploys a version.\nforbidden  Nobody may.\n",
      "",
    ]);
    const [, help] = await tools.run(["deploy", "--help"]);
    expect(help).toContain("--place  (string, required)  Where to");
    const flags = '--place moon --count=2 --dry-run --tags a --tags b --options {"x":1}';
    const input = {
      place: "moon",
      count: 2,
      dryRun: true,
      tags: ["a", "b"],
      options: { x: 1 },
    };
    expect(await tools.run(["deploy", ...flags.split(" ")])).toEqual([
      0,
      `deployed ${JSON.stringify(input)}\n`,
      "",
    ]);
    const json = JSON.stringify({ place: "mars", dryRun: true });
    expect(await tools.run(["deploy", "--json", json, "--no-dry-run"])).toEqual([
      0,
      'deployed {"place":"mars","dryRun":false}\n',
      "",
    ]);
  });

  test.each([
    [[], 2, /expected a tool's name/],
    [["nobody"], 2, /there is no tool nobody/],
    [["deploy", "--speed", "1"], 2, /there is no flag --speed/],
    [["deploy", "--count", "many"], 2, /--count: expected an integer, got many/],
    [["deploy", "--place"], 2, /--place: expected a value, got none/],
    [["deploy", "moon"], 2, /expected --flag, got moon/],
    [["deploy", "--options", "{"], 2, /--options: expected JSON/],
    [["deploy", "--count", "1"], 1, /place/],
    [["forbidden"], 3, /nobody is there to be asked/],
  ])("[tools.usage] %j ends with %i and says why on stderr", async (args, code, why) => {
    await using tools = await ToolWorld.start();
    const [exitCode, stdout, stderr] = await tools.run(args);
    expect([exitCode, stdout]).toEqual([code, ""]);
    expect(stderr).toMatch(why);
    expect(tools.calls).toEqual([]);
  });
});
