import { commandOf } from "../vm-agent/check-given.ts";
import type { AcpAgent } from "./acp-agent.ts";
import { doorServers } from "./door-servers.ts";

/** Any program that speaks ACP: the session says which. Policies name its tools by their kinds: `read`, `edit`, `execute`. */
export const ANY_ACP_AGENT: AcpAgent = {
  name: "acp",
  hasOwnSystem: false,
  check: (spec) => void commandOf(spec),
  prepare: async ({ request, surroundings }) => ({
    argv: [commandOf(request.spec), ...(request.spec.args ?? [])],
    env: surroundings.env,
    mcpServers: doorServers(surroundings.door),
    hasModel: false,
  }),
  describe: ({ kind, title, rawInput }) => ({
    name: kind ?? "other",
    input: rawInput ?? { title: title ?? "" },
  }),
  isOwn: ({ title }, tool) =>
    [`agentos_${tool}`, `agentos/${tool}`, `mcp__agentos__${tool}`].includes(title ?? ""),
  // What ran without asking ends the turn all the same, if it may not.
  asksIn: () => true,
  modelId: (model) => model,
};
