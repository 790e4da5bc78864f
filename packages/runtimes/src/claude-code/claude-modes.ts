import type { AgentMode } from "@agentos/protocol";

/** What Claude Code is in unless it is told otherwise. */
export const DEFAULT_MODE = "default";

/** Its permission modes. The session's own policy is asked before each tool in every one of them. */
export const CLAUDE_MODES: readonly AgentMode[] = [
  { id: DEFAULT_MODE, name: "Default" },
  { id: "acceptEdits", name: "Accept edits" },
  { id: "plan", name: "Plan" },
];
