import { randomUUID } from "node:crypto";

import type {
  AgentRuntime,
  AgentTrace,
  RuntimeHost,
  RuntimeRequest,
  RuntimeSession,
} from "@agentos/core";
import type { SessionSpec } from "@agentos/protocol";

import { checkProvider } from "../agent-program/check-provider.ts";
import { findProgram, pathOf } from "../agent-program/find-program.ts";
import { assertMode } from "../agent-program/unknown-mode.ts";
import { openConversation } from "../agent-program/open-conversation.ts";
import { programOf } from "../agent-program/program-of.ts";
import { refuseOptions } from "../vm-agent/check-given.ts";
import { CLAUDE_CAPABILITIES } from "./claude-capabilities.ts";
import { claudeArguments, claudeEnvironment } from "./claude-command.ts";
import { CLAUDE_MODES } from "./claude-modes.ts";
import { ClaudeSession } from "./claude-session.ts";

const AGENT = "claude-code";
/** The control protocol is the same in these. */
const SUPPORTED = { from: "2.1.300", below: "2.2.0" };

/** Claude Code, as it comes from npm, in a VM: driven by its control protocol, its model behind the gateway. */
export class ClaudeRuntime implements AgentRuntime {
  readonly name = AGENT;
  readonly capabilities = CLAUDE_CAPABILITIES;

  async check(spec: SessionSpec): Promise<void> {
    checkProvider(spec, ["anthropic"]);
    refuseOptions(spec, ["initialHistory"]);
    if (spec.mode !== undefined)
      assertMode(AGENT, { current: spec.mode, available: CLAUDE_MODES }, spec.mode);
  }

  async open(
    request: RuntimeRequest,
    host: RuntimeHost,
    options: { signal: AbortSignal },
  ): Promise<RuntimeSession> {
    const { spec } = request;
    const { vm } = host;
    const endpoint = await host.endpoint(options);
    const program = await findProgram({ agent: AGENT, spec, vm, supported: SUPPORTED }, options);
    return await openConversation(host.state, request.agentSessionId, async (known) => {
      const agentSessionId = known ?? randomUUID();
      const words = claudeArguments({ spec, isResumed: known !== undefined, agentSessionId });
      const env = { PATH: pathOf(program, vm.environment), ...claudeEnvironment(spec, endpoint) };
      const argv = [...program.argv, ...words];
      return await ClaudeSession.open(
        {
          request,
          host,
          endpoint,
          agentSessionId,
          program: programOf(AGENT, request, host, { argv, env }),
        },
        options,
      );
    });
  }

  async adopt(
    request: RuntimeRequest,
    host: RuntimeHost,
    trace: AgentTrace,
    options: { signal: AbortSignal },
  ): Promise<RuntimeSession> {
    const { agentSessionId = "" } = request;
    const endpoint = await host.endpoint(options);
    const program = programOf(AGENT, request, host);
    return await ClaudeSession.adopt({ request, host, endpoint, agentSessionId, program }, trace);
  }
}
