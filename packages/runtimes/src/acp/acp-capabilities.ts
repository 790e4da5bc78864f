import type { RuntimeCapabilities } from "@agentos/core";

export const ACP_CAPABILITIES: RuntimeCapabilities = {
  transport: "acp",
  permissions: "ask",
  hostTools: ["mcp", "command"],
  builtinTools: false,
  resume: true,
  fork: true,
  deltas: true,
  usage: true,
  outputSchema: false,
  subagents: false,
  compaction: false,
  adoption: true,
  modes: true,
};
