import { checkPolicy } from "../policies/check-policy.ts";
import { SessionTools } from "./session-tools.ts";
import { askQuestion } from "./builtin/ask-question.ts";
import { BackgroundCommands } from "./builtin/background-commands.ts";
import { createFile } from "./builtin/create-file.ts";
import { editFile } from "./builtin/edit-file.ts";
import { finish } from "./builtin/finish.ts";
import { listDirectory } from "./builtin/list-directory.ts";
import { readUrl } from "./builtin/read-url.ts";
import { runCommand } from "./builtin/run-command.ts";
import { searchTools } from "./builtin/search.ts";
import { startSubagent } from "./builtin/start-subagent.ts";
import { viewFile } from "./builtin/view-file.ts";
import { openMcpServers } from "../mcp/open-mcp-servers.ts";
import { givenTool } from "./given-tool.ts";
import { hostTool } from "./host-tool.ts";
import type { Tool } from "./tool.ts";
import { enabledTools } from "./tool-registry.ts";
import type { OpenToolDesk, ToolDeskRequest } from "../tool-desk.ts";

/**
 * Everything that a session's agent may call. Rejects with `INVALID_ARGUMENT` for a name used twice or a malformed
 * schema, and as `McpServer.open` does for a server that does not start.
 */
export const openTools: OpenToolDesk = async (context, { signal }) => {
  signal.throwIfAborted();
  checkPolicy(context.spec, context.builtinTools);
  await using stack = new AsyncDisposableStack();
  const commands = stack.use(new BackgroundCommands(context.vm));
  // The questions go through the desk that is made of these tools.
  const opened: { desk?: SessionTools } = {};
  const ask = askQuestion(async (questions, turn) => await opened.desk?.ask(questions, turn));
  const builtin = context.builtinTools ? builtinTools(context, commands, ask) : [];
  const given = context.builtinTools ? [] : givenTools(context);
  const host = (context.spec.tools ?? []).map((tool) => hostTool(context, tool));
  const servers = await openMcpServers(context, stack, signal);
  const mcp = servers.flatMap(({ tools }) => tools);
  opened.desk = new SessionTools(context, [...builtin, ...given, ...host, ...mcp], stack.move());
  return opened.desk;
};

function builtinTools(
  context: ToolDeskRequest,
  commands: BackgroundCommands,
  ask: Tool,
): readonly Tool[] {
  const { spec, subagents } = context;
  const tools = [
    viewFile(context),
    createFile(context),
    editFile(context),
    listDirectory(context),
    ...searchTools(context),
    readUrl(context),
    runCommand(context, commands),
    ...commands.tools,
    ask,
    ...(subagents === undefined || subagents.known.length === 0 ? [] : [startSubagent(subagents)]),
    ...context.given.map(givenTool),
  ];
  const enabled = enabledTools(tools, spec.capabilities ?? {});
  // Not a capability: without it there is no structured output.
  return spec.outputSchema === undefined ? enabled : [...enabled, finish(spec.outputSchema)];
}

/** For an agent that brings its own tools: those of the sidecar that it is not refused. */
function givenTools({ given, spec }: ToolDeskRequest): readonly Tool[] {
  const refused = spec.capabilities?.disabledTools ?? [];
  return given.map(givenTool).filter(({ info }) => !refused.includes(info.name));
}
