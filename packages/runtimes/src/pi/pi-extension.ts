/** In the environment: the session's tools, as a file of JSON. */
export const TOOLS_VARIABLE = "AGENTOS_PI_TOOLS";

/** The title of a dialog that is no question for a person: its placeholder is one of the extension's questions. */
export const DIALOG = "agentos";

/**
 * The extension that Pi loads in the VM. Pi has no permissions and no MCP of its own: before each tool it
 * asks by a dialog, and the session's tools are called by one. A dialog without an answer blocks the tool.
 */
export const PI_EXTENSION = `
import { readFileSync } from "node:fs";

const tools = JSON.parse(readFileSync(process.env.${TOOLS_VARIABLE}, "utf8"));
const own = new Set(tools.map((tool) => tool.name));

async function ask(ctx, question, signal) {
  const answer = await ctx.ui.input("${DIALOG}", JSON.stringify(question), { signal });
  return answer === undefined ? undefined : JSON.parse(answer);
}

export default function (pi) {
  pi.on("tool_call", async (event, ctx) => {
    if (own.has(event.toolName)) return undefined;
    const { toolCallId: callId, toolName: name, input } = event;
    const verdict = await ask(ctx, { ask: "authorize", callId, name, input });
    if (verdict?.allow !== true) {
      return { block: true, reason: verdict?.message ?? "it was denied" };
    }
    for (const key of Object.keys(input)) delete input[key];
    Object.assign(input, verdict.input);
    return undefined;
  });
  for (const { name, description, inputSchema } of tools) {
    pi.registerTool({
      name,
      label: name,
      description,
      parameters: inputSchema,
      async execute(callId, input, signal, onUpdate, ctx) {
        const result = await ask(ctx, { ask: "call", callId, name, input }, signal);
        if (result === undefined) throw new Error("the call was cancelled");
        if (result.isError) throw new Error(result.content.map(({ text }) => text ?? "").join("\\n"));
        return { content: result.content, details: undefined };
      },
    });
  }
}
`;
