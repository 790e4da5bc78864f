import type { AgentEndpoint, ToolDoor } from "@agentos/core";
import { AgentOsError, type RateLimitWindow, type ToolInfo } from "@agentos/protocol";

import type { AgentHost } from "./agent-host.ts";
import { cancelled } from "./deadline.ts";
import { ModelCalls } from "./model-calls.ts";
import type { SessionParts } from "./session-parts.ts";
import type { TurnRun } from "./turn-run.ts";

export interface DoorsContext {
  /** The turn that runs now. */
  readonly run: () => TurnRun | undefined;
  /** The agent that lives now. */
  readonly agent: () => AgentHost | undefined;
}

/** What a session's agents reach from inside the VM: its model, its tools. Each is opened at most once; both end with the session. */
export class SessionDoors implements AsyncDisposable {
  readonly #parts: SessionParts;
  readonly #context: DoorsContext;
  #endpoint: Promise<AgentEndpoint> | undefined;
  #opened: AgentEndpoint | undefined;
  #tools: Promise<ToolDoor> | undefined;

  constructor(parts: SessionParts, context: DoorsContext) {
    this.#parts = parts;
    this.#context = context;
  }

  /** Rejects with `UNSUPPORTED`, or as the gateway does; then it may be tried again. */
  async endpoint(signal: AbortSignal): Promise<AgentEndpoint> {
    const { gateway } = this.#parts.host;
    if (gateway === undefined) throw unsupported("a model for agents in a VM");
    const calls = new ModelCalls(this.#parts, this.#context.run);
    this.#endpoint ??= gateway.open(calls, { signal }).catch((error: unknown) => {
      this.#endpoint = undefined;
      throw error;
    });
    this.#opened = await this.#endpoint;
    return this.#opened;
  }

  /** As the provider said them last. */
  get rateLimits(): readonly RateLimitWindow[] {
    return this.#opened?.rateLimits ?? [];
  }

  /** The same for the tools that the agent is given. */
  async tools(tools: readonly ToolInfo[], signal: AbortSignal): Promise<ToolDoor> {
    const { host, record, access: vm } = this.#parts;
    if (host.toolDoors === undefined) throw unsupported("tools for agents in a VM");
    const { sessionId } = record;
    const call: AgentHost["callTool"] = async (asked, callSignal) => {
      const agent = this.#context.agent();
      if (agent === undefined) throw cancelled(asked.name);
      return await agent.callTool(asked, callSignal);
    };
    const route = { sessionId, vm, tools, call };
    this.#tools ??= host.toolDoors.open(route, { signal }).catch((error: unknown) => {
      this.#tools = undefined;
      throw error;
    });
    return await this.#tools;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = [this.#endpoint, this.#tools];
    this.#endpoint = undefined;
    this.#tools = undefined;
    await Promise.all(
      open.map(async (door) => {
        // One that could not be opened was told to whoever opened it.
        const opened = await door?.catch(() => undefined);
        await opened?.[Symbol.asyncDispose]();
      }),
    );
  }
}

function unsupported(what: string): AgentOsError<"UNSUPPORTED"> {
  return new AgentOsError("UNSUPPORTED", `this sidecar has no ${what}`, { what });
}
