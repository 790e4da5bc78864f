import type { Json, ToolResult } from "@agentos/protocol";

/** Where a runtime is with its agent's program: what the next life of the sidecar goes on from. */
export interface AgentTrace {
  readonly processId: string;
  /** Bytes of its stdout whose meaning is written down. */
  readonly stdoutBytes: number;
  /** Lines below that whose meaning is not: what they ask has no answer yet. Taken again, and first. */
  readonly openLines: readonly string[];
  /** The turn whose prompt it has. Null: none. */
  readonly turnId: string | null;
  /** The runtime's own. */
  readonly memo: Json;
}

/** The same with what the engine owes. */
export interface StoredTrace extends AgentTrace {
  /** Of tools that the agent ran by itself: not told yet, for a hook looks at them. */
  readonly results: readonly ToolResult[];
}
