import type { RuntimeCapabilities } from "@agentos/core";

export const CLAUDE_CAPABILITIES: RuntimeCapabilities = {
  transport: "native",
  permissions: "ask",
  hostTools: ["mcp"],
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
