import type { RuntimeCapabilities } from "@agentos/core";

export const PI_CAPABILITIES: RuntimeCapabilities = {
  transport: "native",
  permissions: "ask",
  hostTools: ["direct"],
  builtinTools: false,
  resume: true,
  fork: true,
  deltas: true,
  usage: true,
  outputSchema: false,
  subagents: false,
  compaction: true,
  adoption: true,
  modes: false,
};
