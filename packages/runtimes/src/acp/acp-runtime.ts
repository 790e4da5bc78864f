import type {
  AgentRuntime,
  AgentTrace,
  RuntimeHost,
  RuntimeRequest,
  RuntimeSession,
} from "@agentos/core";
import type { SessionSpec } from "@agentos/protocol";

import { checkCounted, refuseOptions } from "../vm-agent/check-given.ts";
import { openSurroundings } from "../vm-agent/surroundings.ts";
import { systemWords } from "../vm-agent/system-words.ts";
import type { AcpAgent } from "./acp-agent.ts";
import { ACP_CAPABILITIES } from "./acp-capabilities.ts";
import { AcpSession, type AcpSessionOptions } from "./acp-session.ts";

/** Agents that speak the Agent Client Protocol on their stdin and stdout. */
export class AcpRuntime implements AgentRuntime {
  readonly name: string;
  readonly capabilities = ACP_CAPABILITIES;
  readonly #agent: AcpAgent;

  constructor(agent: AcpAgent) {
    this.name = agent.name;
    this.#agent = agent;
  }

  async check(spec: SessionSpec): Promise<void> {
    this.#agent.check(spec);
    refuseOptions(spec, ["initialHistory", "thinking", "maxOutputTokens"]);
    checkCounted(spec);
  }

  async open(
    request: RuntimeRequest,
    host: RuntimeHost,
    options: { signal: AbortSignal },
  ): Promise<RuntimeSession> {
    return await AcpSession.open(await this.#options(request, host, options), options);
  }

  async adopt(
    request: RuntimeRequest,
    host: RuntimeHost,
    trace: AgentTrace,
    options: { signal: AbortSignal },
  ): Promise<RuntimeSession> {
    return await AcpSession.adopt(await this.#options(request, host, options), trace);
  }

  async #options(
    request: RuntimeRequest,
    host: RuntimeHost,
    options: { signal: AbortSignal },
  ): Promise<AcpSessionOptions> {
    const agent = this.#agent;
    const surroundings = await openSurroundings(request, host, options);
    const system = systemWords(request);
    const preamble = agent.hasOwnSystem ? undefined : system;
    const { vm } = host;
    const prepare: AcpSessionOptions["prepare"] = async (agentSessionId, signal) =>
      await agent.prepare(
        { request: { ...request, agentSessionId }, vm, surroundings, system },
        signal,
      );
    return { agent, request, host, surroundings, prepare, preamble };
  }
}
