import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { deserializeMessage, serializeMessage } from "@modelcontextprotocol/sdk/shared/stdio.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { FakeProgram, ProgramContext } from "@agentos/testing";
import * as z from "zod";

interface WeatherOptions {
  /** What the tool `leave` does. */
  readonly leave?: () => void;
}

/** A small MCP server, written with the SDK. */
export function weatherServer({ leave = () => undefined }: WeatherOptions = {}): McpServer {
  const server = new McpServer({ name: "weather", version: "1.0.0" });
  server.registerTool(
    "forecast",
    { description: "Tomorrow's weather.", inputSchema: { city: z.string() } },
    ({ city }) => ({ content: [{ type: "text", text: `rain in ${city}` }] }),
  );
  server.registerTool("draw.map", { description: "A map." }, () => ({
    content: [
      { type: "image", data: "aGk=", mimeType: "image/png" },
      { type: "resource", resource: { uri: "map://1", text: "a legend" } },
    ],
  }));
  server.registerTool("storm", {}, () => {
    throw new Error("the mast is broken");
  });
  server.registerTool("stay", {}, () => new Promise(() => undefined));
  server.registerTool("leave", {}, () => {
    leave();
    return new Promise(() => undefined);
  });
  return server;
}

/** The same as a program of a fake VM, on its standard input and output. `--die` ends it at `leave`. */
export const weatherProgram: FakeProgram = async (context) => {
  const left = Promise.withResolvers<number>();
  const server = weatherServer({
    leave: () => void context.stderr("struck by lightning\n").then(() => left.resolve(7)),
  });
  await context.stdout("a line that is no message\n");
  await server.connect(stdioOf(context));
  const ended = new Promise<number>((resolve) => {
    context.ended.addEventListener("abort", () => resolve(0), { once: true });
  });
  return await Promise.race([ended, left.promise, readAll(context, server)]);
};

interface Connected {
  readonly server: { readonly transport?: Transport | undefined };
}

async function readAll(context: ProgramContext, { server }: Connected): Promise<number> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of context.stdin) {
    text += decoder.decode(bytes, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) server.transport?.onmessage?.(deserializeMessage(line));
  }
  return 0;
}

function stdioOf(context: ProgramContext): Transport {
  return {
    start: async () => undefined,
    send: async (message) => context.stdout(serializeMessage(message)),
    close: async () => undefined,
  };
}
