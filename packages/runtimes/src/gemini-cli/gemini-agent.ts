import { posix } from "node:path";

import type { AcpAgent, AcpContext, AcpProgram } from "../acp/acp-agent.ts";
import { doorServers } from "../acp/door-servers.ts";
import { checkProvider } from "../agent-program/check-provider.ts";
import { findProgram, pathOf } from "../agent-program/find-program.ts";
import { writeVmFile } from "../vm/write-vm-file.ts";
import { GEMINI_SETTINGS } from "./gemini-settings.ts";
import { keepConversation } from "./keep-conversation.ts";

const AGENT = "gemini-cli";
/** Its messages are the same in these. */
const SUPPORTED = { from: "0.55.0", below: "0.80.0" };
/** The name of its tool is in front of a call's id. */
const CALL_ID = /^([A-Za-z][A-Za-z0-9_]*?)(?:__|-)/;

/** Gemini CLI, as it comes from npm, by ACP: it has no other protocol. */
export const GEMINI_AGENT: AcpAgent = {
  name: AGENT,
  hasOwnSystem: false,
  check: (spec) => checkProvider(spec, ["gemini"]),
  prepare,
  describe: ({ toolCallId, kind, title, locations, content }) => {
    const name = CALL_ID.exec(toolCallId)?.[1] ?? kind ?? "other";
    // What it is to do is told to people only.
    if (kind === "execute") return { name, input: { command: title ?? "" } };
    const path = locations?.[0]?.path ?? content?.find((each) => each.path !== undefined)?.path;
    const input = { title: title ?? "", ...(path === undefined ? {} : { file_path: path }) };
    return { name, input };
  },
  isOwn: ({ toolCallId }, tool) => toolCallId.startsWith(`mcp_agentos_${tool}`),
  asksIn: (mode) => mode === "default" || mode === "plan",
  modelId: (model) => model,
};

async function prepare(
  { request, vm, surroundings }: AcpContext,
  options: { signal: AbortSignal },
): Promise<AcpProgram> {
  const { spec, sessionId, agentSessionId } = request;
  const program = await findProgram({ agent: AGENT, spec, vm, supported: SUPPORTED }, options);
  const { files } = vm.handle();
  const home = vm.environment["HOME"] ?? "/root";
  const settings = posix.join(home, ".agentos", AGENT, `${sessionId}.json`);
  await writeVmFile(files, settings, JSON.stringify(GEMINI_SETTINGS));
  if (agentSessionId !== undefined) await keepConversation(files, home, agentSessionId);
  const model = spec.model === undefined ? [] : ["--model", spec.model];
  return {
    argv: [...program.argv, "--acp", ...model],
    env: {
      ...surroundings.env,
      PATH: pathOf(program, vm.environment),
      // Settings above a person's own in the VM.
      GEMINI_CLI_SYSTEM_SETTINGS_PATH: settings,
      GEMINI_CLI_TRUST_WORKSPACE: "true",
      // One process, which takes signals.
      GEMINI_CLI_NO_RELAUNCH: "true",
      GEMINI_TELEMETRY_ENABLED: "false",
    },
    mcpServers: doorServers(surroundings.door),
    hasModel: true,
  };
}
