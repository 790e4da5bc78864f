import { posix } from "node:path";

import type { AcpAgent, AcpContext, AcpProgram } from "../acp/acp-agent.ts";
import { checkProvider } from "../agent-program/check-provider.ts";
import { findProgram, pathOf } from "../agent-program/find-program.ts";
import { writeVmFile } from "../vm/write-vm-file.ts";
import { modelOf, opencodeConfig, opencodeModel, PROVIDER_PACKAGES } from "./opencode-config.ts";

const AGENT = "opencode";
/** Its messages are the same in these. */
const SUPPORTED = { from: "1.15.0", below: "2.0.0" };
/** What it calls its tools, told before anything else of a call. */
const TOOL_NAME = /^[a-z][A-Za-z0-9_-]*$/;

/** OpenCode, as it comes from npm, by ACP. */
export const OPENCODE_AGENT: AcpAgent = {
  name: AGENT,
  hasOwnSystem: true,
  check: (spec) => {
    checkProvider(spec, Object.keys(PROVIDER_PACKAGES));
    modelOf(spec);
  },
  prepare,
  describe: ({ kind, title, rawInput }, first) => ({
    name: TOOL_NAME.test(first.title ?? "") ? (first.title ?? "") : (kind ?? "other"),
    input: rawInput ?? { title: title ?? "" },
  }),
  isOwn: ({ title }, tool) => title === `agentos_${tool}`,
  // Its settings have every tool ask.
  asksIn: () => true,
  modelId: opencodeModel,
};

async function prepare(
  { request, vm, surroundings, system }: AcpContext,
  options: { signal: AbortSignal },
): Promise<AcpProgram> {
  const { spec, sessionId } = request;
  const { endpoint, door, env } = surroundings;
  const program = await findProgram({ agent: AGENT, spec, vm, supported: SUPPORTED }, options);
  const home = vm.environment["HOME"] ?? "/root";
  const words = posix.join(home, ".agentos", AGENT, `${sessionId}.md`);
  if (system !== undefined) await writeVmFile(vm.handle().files, words, system);
  const instructions = system === undefined ? [] : [words];
  const config = opencodeConfig({ spec, endpoint, door, instructions });
  return {
    argv: [...program.argv, "acp"],
    env: {
      ...env,
      PATH: pathOf(program, vm.environment),
      OPENCODE_CONFIG_CONTENT: JSON.stringify(config),
      OPENCODE_DISABLE_AUTOUPDATE: "1",
      OPENCODE_DISABLE_MODELS_FETCH: "1",
      OPENCODE_DISABLE_DEFAULT_PLUGINS: "1",
      OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
      OPENCODE_DISABLE_SHARE: "1",
      // It asks a registry about packages where there is one: it is told of none.
      npm_config_offline: "true",
      npm_config_registry: "http://127.0.0.1:9",
    },
    mcpServers: [],
    hasModel: true,
  };
}
