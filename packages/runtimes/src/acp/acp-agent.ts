import type { RuntimeRequest, SessionVm } from "@agentos/core";
import type { Json, JsonObject, SessionSpec } from "@agentos/protocol";

import type { Surroundings } from "../vm-agent/surroundings.ts";
import type { ToolFields } from "./acp-message.ts";

/** What a kind of ACP agent needs beyond the protocol. */
export interface AcpAgent {
  readonly name: string;
  /** Takes the system's words by its settings; otherwise they come before the first prompt. */
  readonly hasOwnSystem: boolean;
  /** Throws for a session that it can't have. */
  check(spec: SessionSpec): void;
  /** Its program and settings in a VM. Rejects with `AGENT_NOT_INSTALLED` or `AGENT_VERSION`. */
  prepare(context: AcpContext, options: { signal: AbortSignal }): Promise<AcpProgram>;
  /** What policies are told of a call: all that is known of it, and what was told first. */
  describe(call: ToolFields, first: ToolFields): AcpCall;
  /** Whether it is a call of the session's own tool, whose door asks for itself. */
  isOwn(call: ToolFields, tool: string): boolean;
  /** Whether it asks before its tools in that mode of its own. */
  asksIn(mode: string): boolean;
  /** What it calls a model. */
  modelId(model: string): string;
}

export interface AcpCall {
  readonly name: string;
  readonly input: Json;
}

export interface AcpContext {
  readonly request: RuntimeRequest;
  readonly vm: SessionVm;
  readonly surroundings: Surroundings;
  /** The system's words of the session; undefined where there are none. */
  readonly system: string | undefined;
}

export interface AcpProgram {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The session's tools, where its settings don't name them. */
  readonly mcpServers: readonly JsonObject[];
  /** It has its model by its settings; otherwise the protocol sets it. */
  readonly hasModel: boolean;
}
