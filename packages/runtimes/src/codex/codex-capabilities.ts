import type { RuntimeCapabilities } from "@agentos/core";

export const CODEX_CAPABILITIES: RuntimeCapabilities = {
  transport: "native",
  permissions: "ask",
  hostTools: ["direct"],
  builtinTools: false,
  resume: true,
  fork: true,
  deltas: true,
  usage: true,
  outputSchema: true,
  subagents: false,
  compaction: false,
  adoption: true,
  modes: false,
};
