import type { RuntimeCapabilities } from "@agentos/core";

export const COMMAND_CAPABILITIES: RuntimeCapabilities = {
  transport: "command",
  permissions: "none",
  hostTools: ["command"],
  builtinTools: false,
  // Each prompt is a run of its own: there is nothing to lose.
  resume: true,
  fork: true,
  deltas: true,
  // As far as its model calls go through the gateway; `check` sees to that.
  usage: true,
  outputSchema: false,
  subagents: false,
  compaction: false,
  adoption: false,
  modes: false,
};
