import type { RuntimeCapabilities } from "@agentos/core";

export const PTY_CAPABILITIES: RuntimeCapabilities = {
  transport: "terminal",
  permissions: "none",
  hostTools: ["command"],
  builtinTools: false,
  resume: false,
  fork: false,
  deltas: false,
  // As far as its model calls go through the gateway; `check` sees to that.
  usage: true,
  outputSchema: false,
  subagents: false,
  compaction: false,
  adoption: false,
  modes: false,
};
