export type { AgentRuntime } from "@agentos/core";
