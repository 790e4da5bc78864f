import { FlagError, flagsOf, readFlags } from "./tool-flags.ts";
import { plainText } from "./mcp-blocks.ts";
import type { ServedTool, SessionTools } from "./session-tools.ts";

/** What a run of `agentos-tool` ends with. */
export interface CommandEnd {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** docs/host-tools.md has them. */
const EXIT = { ok: 0, failed: 1, usage: 2, denied: 3, cancelled: 4 } as const;

/** `agentos-tool ARGS`, typed in the VM. Never rejects. */
export async function runToolCommand(
  tools: SessionTools | undefined,
  args: readonly string[],
  signal: AbortSignal,
): Promise<CommandEnd> {
  if (tools === undefined) {
    return usage("expected the token of a session in AGENTOS_TOOLS_TOKEN");
  }
  const [name = "", ...rest] = args;
  if (name === "") return usage(`expected a tool's name\n${listOf(tools)}`);
  if (["list", "--help", "-h", "help"].includes(name) && tools.find(name) === undefined) {
    return printed(listOf(tools));
  }
  const tool = tools.find(name);
  if (tool === undefined) return usage(`there is no tool ${name}\n${listOf(tools)}`);
  if (rest.length === 1 && (rest[0] === "--help" || rest[0] === "-h")) return printed(helpOf(tool));
  try {
    const input = readFlags(tool.info.inputSchema, rest);
    const { outcome, content } = await tools.call(name, input, signal);
    const text = `${content.map(plainText).join("\n")}\n`;
    if (outcome === "ok") return printed(text);
    return { stdout: "", stderr: text, exitCode: EXIT[outcome] };
  } catch (error) {
    if (error instanceof FlagError) return usage(`${error.message}\n${helpOf(tool)}`);
    throw error;
  }
}

function printed(text: string): CommandEnd {
  return { stdout: text, stderr: "", exitCode: EXIT.ok };
}

function usage(text: string): CommandEnd {
  return { stdout: "", stderr: `agentos-tool: ${text.trimEnd()}\n`, exitCode: EXIT.usage };
}

function listOf({ tools }: SessionTools): string {
  if (tools.length === 0) return "this session has no tools\n";
  const width = Math.max(...tools.map(({ wireName }) => wireName.length));
  const lines = tools.map(({ wireName, info }) => {
    const [first = ""] = info.description.split("\n");
    return `${wireName.padEnd(width)}  ${first}`.trimEnd();
  });
  return `${lines.join("\n")}\n`;
}

function helpOf({ wireName, info }: ServedTool): string {
  const flags = flagsOf(info.inputSchema);
  const lines = flags.map(({ name, type, description, isRequired }) => {
    const what = isRequired ? `${type}, required` : type;
    return `  --${name}  (${what})${description === "" ? "" : `  ${description}`}`;
  });
  const usageLine = `usage: agentos-tool ${wireName} [--flag value]... [--json OBJECT]`;
  return `${[info.description, "", usageLine, ...lines].join("\n")}\n`;
}
