import type { ToolDeskRequest } from "../tool-desk.ts";
import { McpServer } from "./mcp-server.ts";

/** Every MCP server of a session, started side by side. Rejects with the first one's failure, and none of the others is left. */
export async function openMcpServers(
  context: ToolDeskRequest,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<readonly McpServer[]> {
  const specs = Object.entries(context.spec.mcpServers ?? {});
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const opened = await Promise.allSettled(
    specs.map(async ([name, spec]) => {
      try {
        return stack.use(await McpServer.open(context, name, spec, either));
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    }),
  );
  either.throwIfAborted();
  return opened.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
}
