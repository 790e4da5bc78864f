import type { ContentPart, Json, JsonObject } from "@agentos/protocol";

/** One call of a session's tool. */
export interface SessionToolCall {
  readonly callId: string;
  readonly turnId: string;
  readonly input: Json;
  readonly signal: AbortSignal;
}

/** A tool that the sidecar itself gives to an agent, whatever its runtime. Policies hold for it as for any other. */
export interface SessionTool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of its input, an object. */
  readonly inputSchema: JsonObject;
  /** Its effect leaves the VM: the default policy asks. */
  readonly crossesBorder: boolean;
  /** A failure that the agent should read is a result. */
  run(call: SessionToolCall): Promise<{ content: readonly ContentPart[]; isError: boolean }>;
}

/** Gives sessions tools of the sidecar. */
export interface ToolSource {
  /** What this session's agent has; fixed once it is open. */
  tools(session: { user: string; sessionId: string; vmId: string }): readonly SessionTool[];
}
