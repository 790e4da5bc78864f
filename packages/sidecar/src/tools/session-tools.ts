import { randomUUID } from "node:crypto";

import type { ToolRoute } from "@agentos/core";
import { isAgentOsError, type Json, type ToolInfo, type ToolResult } from "@agentos/protocol";
import { ToolNames } from "@agentos/runtimes";

/** A tool as programs of the VM see it: one of an MCP server has its server's name before its own. */
export interface ServedTool {
  readonly wireName: string;
  readonly info: ToolInfo;
}

/** A session's tools, as programs of its VM call them. */
export class SessionTools {
  readonly tools: readonly ServedTool[];
  /** Aborted with the session. */
  readonly closed = new AbortController();
  readonly #route: ToolRoute;
  readonly #names: ToolNames;

  constructor(route: ToolRoute) {
    this.#route = route;
    // What acts on the VM, its programs do by themselves.
    this.#names = new ToolNames(route.tools.filter(({ source }) => source !== "builtin"));
    this.tools = this.#names.tools;
  }

  find(wireName: string): ServedTool | undefined {
    return this.tools.find((tool) => tool.wireName === wireName);
  }

  /** Never rejects: a call that was cancelled, or that no turn is there for, is a result too. */
  async call(wireName: string, input: Json, signal: AbortSignal): Promise<ToolResult> {
    const callId = `vm-${randomUUID()}`;
    const call = { callId, ...this.#names.target(wireName), input };
    try {
      return await this.#route.call(call, AbortSignal.any([signal, this.closed.signal]));
    } catch (error) {
      const why = isAgentOsError(error) ? error.message : "the call failed inside";
      return {
        callId,
        name: call.name,
        outcome: "cancelled",
        content: [{ type: "text", text: why }],
        truncated: false,
        durationMs: 0,
      };
    }
  }
}
